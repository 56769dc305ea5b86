"""What published implementations answer to the conformance suite."""
