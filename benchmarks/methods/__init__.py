"""What ANIL, Meta-SGD and the multi-step loss do beside MAML and iMAML."""
