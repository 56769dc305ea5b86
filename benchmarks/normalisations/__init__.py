"""How accuracy depends on the normalisation, and on which queries lie in its batch."""
