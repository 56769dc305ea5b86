"""What callers may give, and how values show in messages.

Knows numbers, words and the types that other libraries make of them.  Must not know
arrays of a device, nor what a setting is for.
"""
