"""How time and memory of a meta-step grow, each point in a process of its own."""
