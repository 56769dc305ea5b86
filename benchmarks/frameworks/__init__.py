"""Which layers and losses have wrong second derivatives, framework by framework."""
