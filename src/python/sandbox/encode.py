# Turns a Python value into text that keeps its exact type (the grammar is in ../value.ts). It trusts nothing that an answer can
# change: types are told by identity, contents are read with the built-in types' own methods, all bound here, before any answer runs.
from builtins import BaseException, ascii, id, object, bool, bytearray, bytes, complex, dict, float, frozenset, int, list, range, set, slice, str, tuple, type
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256

MAX_TEXT = 1 << 20  # characters
MAX_ITEMS = 100_000  # of one container
MAX_DEPTH = 64
MAX_DIGESTED = 1 << 26  # characters of a value of which only a digest goes out

_mro = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__
_type_name = type.__dict__["__name__"].__get__
_hex = int.__format__
_float_repr = float.__repr__
_real = complex.__dict__["real"].__get__
_imag = complex.__dict__["imag"].__get__
_concat = str.__add__
_bytes_repr = bytes.__repr__
_bytearray_bytes = bytearray.__getitem__
_bytes_len, _bytearray_len = bytes.__len__, bytearray.__len__
_list_get, _list_len, _list_extend, _append, _pop = list.__getitem__, list.__len__, list.extend, list.append, list.pop
_tuple_get, _tuple_len = tuple.__getitem__, tuple.__len__
_set_iter, _set_len = set.__iter__, set.__len__
_frozenset_iter, _frozenset_len = frozenset.__iter__, frozenset.__len__
_dict_items, _dict_len = dict.items, dict.__len__
_deque_iter, _deque_len = deque.__iter__, deque.__len__
_str_len = str.__len__
_start, _stop, _step = (range.__dict__[name].__get__ for name in ("start", "stop", "step"))
_numerator, _denominator = (Fraction.__dict__[name].__get__ for name in ("_numerator", "_denominator"))
_decimal_str = Decimal.__str__
_join = "".join
_is_whole = float.is_integer
_ascii_bytes = str.encode
_backwards = slice(None, None, -1)
_all = slice(None)

# Types whose values are read; a subclass that keeps their __eq__ is read as what it extends.
_READ = (bool, int, float, str, list, tuple, dict, set, frozenset, Counter, OrderedDict, deque, bytes, bytearray, complex, range, Fraction, Decimal)
_NAMED = (bool, int, float, str, list, tuple, dict, set, frozenset, deque, bytes, bytearray, complex, range, type(None), type)


class _Close:
    """Closes a container on the encoder's stack."""

    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text


def _honest_base(kind):
    """The read type that `kind` is or extends without a comparison of its own, or None."""
    for ancestor in _mro(kind):
        for base in _READ:
            if ancestor is base:
                return base
        if "__eq__" in _namespace(ancestor):
            return None
    return None


def _opaque(value, name=None):
    try:
        truth = "1" if value else "0"
    except BaseException:
        truth = "1"
    return "O" + truth + ascii(name or _concat("", _type_name(type(value))))


def _digest(value, base):
    """A value too large to go out whole, as a digest that equal values share: of a text, or of lists and tuples of scalars. Numbers are
    written by value, since 1 == 1.0 == True."""
    hashed, stack, size = sha256(), [value], 0
    parts = []
    while stack:
        item = _pop(stack)
        kind = type(item)
        own = kind if kind is int or kind is float else _honest_base(kind)
        container = _items(item, own) if own is list or own is tuple else None
        if kind is int:
            text = "i" + _hex(item, "x") + ";"
        elif kind is _Close:
            text = item.text
        elif container:
            text, closing, _, children = container
            _append(stack, _Close(closing))
            _list_extend(stack, children())
        elif own is bool or (own is float and _is_whole(item)):
            text = "i" + _hex(int(item), "x") + ";"
        elif item is None:
            text = "N"
        elif own is str:
            text = "s" + ascii(_concat("", item))
        else:
            text = _scalar(item, own) if own is int or own is float or own is bytes else None
        if text is None or size > MAX_DIGESTED:
            return _opaque(True, _type_name(base) + " of too many characters")
        size += _str_len(text)
        _append(parts, text)
        if _list_len(parts) >= 4096:
            hashed.update(_ascii_bytes(_join(parts)))
            parts = []
    hashed.update(_ascii_bytes(_join(parts)))
    return "h" + _type_name(base) + "," + hashed.hexdigest() + ";"


def _items(value, base):
    """(opening, closing, length, children last first) of a container, or None."""
    if base is list:
        return "[", "]", _list_len(value), lambda: _list_get(value, _backwards)
    if base is tuple:
        return "(", ")", _tuple_len(value), lambda: _tuple_get(value, _backwards)
    if base is dict or base is Counter or base is OrderedDict:
        return "D", "E", _dict_len(value), lambda: [x for pair in _dict_items(value) for x in pair][::-1]
    if base is set:
        return "{", "}", _set_len(value), lambda: [*_set_iter(value)][::-1]
    if base is frozenset:
        return "<", ">", _frozenset_len(value), lambda: [*_frozenset_iter(value)][::-1]
    if base is deque:
        return "Q", "]", _deque_len(value), lambda: [*_deque_iter(value)][::-1]
    return None


def _scalar(value, base):
    """The text of a value that holds no others, or None."""
    if base is bool:
        return "T" if value is True else "F"
    if base is int:
        return "i" + _hex(value, "x") + ";"
    if base is float:
        return "f" + _float_repr(value) + ";"
    if base is str:
        return "s" + ascii(_concat("", value)) if _str_len(value) <= MAX_TEXT else _digest(value, base)
    if base is bytes:
        return "b" + _bytes_repr(value) if _bytes_len(value) <= MAX_TEXT else _digest(value, base)
    if base is bytearray:
        return "B" + _bytes_repr(bytes(_bytearray_bytes(value, _all))) if _bytearray_len(value) <= MAX_TEXT else _opaque(True, "bytearray of too many characters")
    if base is complex:
        return "c" + _float_repr(_real(value)) + "," + _float_repr(_imag(value)) + ";"
    if base is range:
        return "r" + ",".join([_hex(bound(value), "x") for bound in (_start, _stop, _step)]) + ";"
    if base is Fraction:
        return "/" + _hex(_numerator(value), "x") + "," + _hex(_denominator(value), "x") + ";"
    if base is Decimal:
        return "m" + _decimal_str(value) + ";"
    return None


def _named_type(value):
    for kind in _NAMED:
        if value is kind:
            return "y" + _type_name(kind) + ";"
    return None


class _Unequal:
    """Stands for a value that would decide itself what it equals."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return False


_known = {}  # the classes by their ids, kept alive so that no other gets one of these
_is_known = _known.__contains__


def know_classes():
    """What classes there are before any answer: their comparisons can be trusted."""
    _known[id(object)] = object
    found = [object]
    while found:
        parent = found.pop()
        for kind in () if parent is type else type.__subclasses__(parent):
            if id(kind) not in _known:
                _known[id(kind)] = kind
                _append(found, kind)


def honest(value):
    """The value, for a test that compares it in here; one in which a class of the answer's says what equals it becomes what equals nothing."""
    stack, seen = [value], 0
    while stack and seen < MAX_ITEMS:
        item = _pop(stack)
        seen += 1
        kind = type(item)
        for ancestor in _mro(kind):
            if _is_known(id(ancestor)):
                break
            if "__eq__" in _namespace(ancestor):
                return _Unequal()
        container = _items(item, _honest_base(kind))
        if container:
            _list_extend(stack, container[3]())
    return value


def encode(value):
    """The text of a value. Whatever cannot be read, or is too large or too deep, becomes an opaque mark that equals nothing."""
    out, stack, depth, size = [], [value], 0, 0
    while stack:
        item = _pop(stack)
        kind = type(item)
        if kind is _Close:
            _append(out, item.text)
            depth -= 1
            continue
        if item is None:
            _append(out, "N")
            continue
        base = _honest_base(kind)
        container = _items(item, base)
        if container:
            opening, closing, length, children = container
            if depth >= MAX_DEPTH:
                return _opaque(True, _type_name(base) + " nested too deep")
            if length > MAX_ITEMS:
                return _digest(value, _honest_base(type(value)))
            depth += 1
            size += length
            _append(out, opening)
            _append(stack, _Close(closing))
            _list_extend(stack, children())
        else:
            text = _scalar(item, base) or _named_type(item) or _opaque(item)
            size += _str_len(text)
            _append(out, text)
        if size > MAX_TEXT:
            return _digest(value, _honest_base(type(value)))
    return _join(out)
