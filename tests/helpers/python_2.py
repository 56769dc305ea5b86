"""Opcodes of Python 2's pickles, protocol 2, that Python 3 never writes."""

import struct


def text_of_python_2(content):
    """Return the opcodes of a byte string, SHORT_BINSTRING or BINSTRING."""
    if len(content) < 256:
        return b"U" + bytes([len(content)]) + content
    return b"T" + struct.pack("<i", len(content)) + content


def array_of_python_2(a, code):
    """Return the opcodes by which Python 2 and NumPy 1 write an array, protocol 2."""
    shape = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in a.shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01"
        + shape
        + b"cnumpy\ndtype\n"
        + text_of_python_2(code)
        + b"K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89" + text_of_python_2(a.tobytes()) + b"tb"
    )


def dict_of_python_2(entries):
    """Return the opcodes of a dictionary {byte string: opcodes of its value}."""
    pairs = (text_of_python_2(name) + value for name, value in entries.items())
    return b"}(" + b"".join(pairs) + b"u"


def list_of_python_2(numbers):
    """Return the opcodes of a list of whole numbers."""
    return b"](" + b"".join(b"J" + struct.pack("<i", n) for n in numbers) + b"e"
