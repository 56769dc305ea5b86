"""How far five estimators train on Omniglot in the same time."""
