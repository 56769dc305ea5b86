"""Where the time of a meta-step goes: clocks, what they are put around, the floor."""
