"""Objects of another process as they lie in memory: texts, numbers, tables of pointers."""

from __future__ import annotations

from itertools import islice
from struct import Struct
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.outside.layouts import ObjectLayout
    from snapshotter.outside.pages import PagedMemory

__all__ = ["DictKeys", "Heap"]

_ENCODINGS: Final = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}
_LARGEST: Final = 1 << 48
_WIDE_EXTRA_BYTES: Final = 16
"""``utf8_length`` and ``utf8`` of a str that is not ASCII."""
_LEGACY_DATA: Final = 56
"""``PyUnicodeObject.data``: where the characters of an instance of a subclass are."""

_KEYS_HEAD: Final = Struct("<qBBBxIqq")  # of struct _dictkeysobject, up to dk_indices
_GENERAL, _SPLIT = 0, 2
_MAX_LOG2_SIZE: Final = 40
_DICT_USED: Final = 16
_SMALL_SET: Final = 64
_MOST_COMPARED: Final = 1 << 19
_SCANNED_AT_ONCE: Final = 64
_MOST_SCANNED: Final = 65_536
_VALUES_HEAD: Final = 8
_MAX_SHARED_KEYS: Final = 30
_MOST_DIGITS: Final = 16_384
_DEQUE_BLOCK: Final = 64
_DEQUE_LINKS: Final = 8 * (_DEQUE_BLOCK + 2)

type DictKeys = list[tuple[int, int]]
"""(address of the key, address of the value), in order."""


class Heap:
    """Decodes objects; every length is bounded, what makes no sense raises ``TornReadError``."""

    __slots__ = ("layout", "pages")

    def __init__(self, pages: PagedMemory, layout: ObjectLayout) -> None:
        """Read from ``pages`` with the offsets of ``layout``."""
        self.pages = pages
        self.layout = layout

    def type_of(self, address: int) -> int:
        """Return the address of the type of the object at ``address``."""
        return self.pages.u64(address + self.layout.ob_type)

    def text(self, address: int, most: int) -> tuple[str, int]:
        """Return the first ``most`` characters of the str at ``address``, and its length."""
        layout, pages = self.layout, self.pages
        head = pages.read(address + layout.text_length, layout.text_state + 4 - layout.text_length)
        length = int.from_bytes(head[:8], "little")
        state = int.from_bytes(head[-4:], "little")
        kind, is_compact, is_ascii = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
        if kind not in _ENCODINGS or length > _LARGEST:
            raise TornReadError(f"No plausible str at {address:#x}.")
        if is_compact:
            start = address + layout.text_ascii + (0 if is_ascii else _WIDE_EXTRA_BYTES)
        else:
            start = pages.u64(address + _LEGACY_DATA)
        size = min(length, most) * kind
        raw = pages.read(start, size) if size else b""
        return _decode(raw, kind), length

    def octets(self, address: int, most: int) -> tuple[bytes, int]:
        """Return the first ``most`` bytes of the bytes object at ``address``, and its length."""
        length = self._length(address + self.layout.bytes_size)
        size = min(length, most)
        return (
            self.pages.read(address + self.layout.bytes_value, size) if size else b"",
            length,
        )

    def c_text(self, address: int, most: int = 256) -> str:
        """Return the NUL-terminated text at ``address``."""
        out = b""
        while len(out) < most:
            part = min(32, 4096 - (address + len(out)) % 4096)
            piece, end, _ = self.pages.read(address + len(out), part).partition(b"\0")
            out += piece
            if end:
                break
        return out[:most].decode("utf-8", "replace")

    def tuple_items(self, address: int, most: int) -> tuple[tuple[int, ...], int]:
        """Return addresses of the first items of a tuple, and its length."""
        length = self._length(address + self.layout.tuple_size)
        return self.pages.words(address + self.layout.tuple_item, min(length, most)), length

    def list_items(self, address: int, most: int) -> tuple[tuple[int, ...], int]:
        """Return addresses of the first items of a list, and its length."""
        length = self._length(address + self.layout.list_size)
        if not length or not most:
            return (), length
        items = self.pages.u64(address + self.layout.list_item)
        return self.pages.words(items, min(length, most)), length

    def dict_length(self, address: int) -> int:
        """Return the number of entries of a dict."""
        return self._length(address + _DICT_USED)

    def dict_items(self, address: int, most: int) -> DictKeys:
        """Return the first entries of a dict (or of an instance of a subclass), in order."""
        return list(islice((entry for entry in self.dict_places(address) if entry[1]), most))

    def dict_places(self, address: int) -> Iterator[tuple[int, int]]:
        """Give what ``dict_items`` returns; of an own table deleted entries too, with value 0."""
        values = self.pages.u64(address + self.layout.dict_values)
        keys = self.pages.u64(address + self.layout.dict_keys)
        if values:
            return iter(self.shared_items(keys, values, _MAX_SHARED_KEYS))
        return self._entries(keys)

    def dict_entry(self, address: int, place: int) -> tuple[int, int]:
        """Return the entry at a place of a dict's own table, zeros if there is none."""
        if self.pages.u64(address + self.layout.dict_values):
            return 0, 0
        start, width, used = self._table(self.pages.u64(address + self.layout.dict_keys))
        if place >= used:
            return 0, 0
        key, value = self.pages.words(start + (place + 1) * width - 16, 2)
        return key, value

    def dict_table(self, address: int) -> tuple[int, int, bytes] | None:
        """Return a dict's own table as it is: another if a key was added, replaced or taken out.

        Its address, how many places of it were ever used, and the bytes of these, up to a limit.
        None for a dict that shares its keys with others.
        """
        if self.pages.u64(address + self.layout.dict_values):
            return None
        keys = self.pages.u64(address + self.layout.dict_keys)
        start, width, used = self._table(keys)
        size = min(used * width, _MOST_COMPARED)
        return keys, used, self.pages.read(start, size) if size else b""

    def dict_bytes(self, address: int) -> int:
        """Return the size of a dict's own table as ``dict.__sizeof__`` counts it."""
        if self.pages.u64(address + self.layout.dict_values):
            return 0
        log2_size, log2_index_bytes, width, _ = self._keys(
            self.pages.u64(address + self.layout.dict_keys)
        )
        usable = (1 << log2_size) * 2 // 3
        return 48 + _KEYS_HEAD.size + (1 << log2_index_bytes) + usable * width

    def shared_items(self, keys: int, values: int, most: int) -> DictKeys:
        """Return entries of a split table: ``values`` is a ``PyDictValues``, in it or inline."""
        head = self.pages.read(values, 4)
        capacity, size = head[0], head[1]
        if size > capacity or capacity > _MAX_SHARED_KEYS:
            raise TornReadError(f"No plausible attributes at {values:#x}.")
        if not size:
            return []
        slots = self.pages.words(values + _VALUES_HEAD, capacity)
        order = self.pages.read(values + _VALUES_HEAD + 8 * capacity, size)
        log2_size, log2_index_bytes, width, used = self._keys(keys)
        if width != 16 or used > 1 << log2_size or max(order) >= min(capacity, used):  # noqa: PLR2004 - a pair of pointers
            raise TornReadError(f"No plausible names of attributes at {keys:#x}.")
        names = self.pages.words(keys + _KEYS_HEAD.size + (1 << log2_index_bytes), 2 * used)
        return [(names[2 * index], slots[index]) for index in order[:most] if slots[index]]

    def _keys(self, keys: int) -> tuple[int, int, int, int]:
        """Return log2 of the table's size and of its index's bytes, entry size, entries used."""
        # not the reference count: it changes all the time
        head = self.pages.read(keys + 8, _KEYS_HEAD.size - 8)
        log2_size, log2_index_bytes, kind = head[0], head[1], head[2]
        used = int.from_bytes(head[16:24], "little")
        if kind > _SPLIT or max(log2_size, log2_index_bytes) > _MAX_LOG2_SIZE:
            raise TornReadError(f"No plausible dict keys at {keys:#x}.")
        if used > 1 << log2_size:
            raise TornReadError(f"No plausible number of dict keys at {keys:#x}.")
        return log2_size, log2_index_bytes, 24 if kind == _GENERAL else 16, used

    def _table(self, keys: int) -> tuple[int, int, int]:
        """Return where the entries begin, the size of one, and how many places were ever used."""
        _, log2_index_bytes, width, used = self._keys(keys)
        return keys + _KEYS_HEAD.size + (1 << log2_index_bytes), width, used

    def _entries(self, keys: int) -> Iterator[tuple[int, int]]:
        start, width, used = self._table(keys)
        step = width // 8
        at, some = 0, 8
        while at < min(used, _MOST_SCANNED):
            count = min(some, used - at)
            words = self.pages.words(start + at * width, count * step)
            yield from zip(words[step - 2 :: step], words[step - 1 :: step], strict=True)
            at += count
            some = _SCANNED_AT_ONCE

    def set_items(self, address: int, most: int) -> tuple[list[int], int, int]:
        """Return some elements of a set in the order of its table, its length and its bytes."""
        layout = self.layout
        length = self._length(address + layout.set_used)
        mask = self._length(address + layout.set_mask)
        table = self.pages.u64(address + layout.set_table)
        size = 200 if table == address + _SMALL_SET else 200 + 16 * (mask + 1)
        found: list[int] = []
        at, end = 0, min(mask + 1, _MOST_SCANNED)
        while at < end and len(found) < min(most, length):
            count = min(_SCANNED_AT_ONCE, end - at)
            words = self.pages.words(table + 16 * at, 2 * count)
            # a removed element leaves a key with the impossible hash -1
            found += [
                key
                for key, hash_ in zip(words[::2], words[1::2], strict=True)
                if key and hash_ != (1 << 64) - 1
            ]
            at += count
        return found[:most], length, size

    def deque_items(self, address: int, most: int) -> tuple[list[int], int]:
        """Return the leftmost items of a deque, and its length."""
        length = self._length(address + 16)
        block, _, index = self.pages.words(address + 24, 3)
        found: list[int] = []
        while len(found) < min(most, length):
            if not 0 <= index < _DEQUE_BLOCK:
                raise TornReadError(f"No plausible deque at {address:#x}.")
            count = min(_DEQUE_BLOCK - index, min(most, length) - len(found))
            found += self.pages.words(block + 8 + 8 * index, count)
            index = 0
            if len(found) < min(most, length):
                block = self.pages.u64(block + _DEQUE_LINKS - 8)
        return found, length

    def integer(self, address: int) -> tuple[int, int]:
        """Return the int at ``address`` and its bits; of one over 63 bits its top 62 bits."""
        tag = self.pages.u64(address + self.layout.long_tag)
        count, sign = tag >> 3, tag & 3
        if sign == 1 or not count:
            return 0, 0
        start = address + self.layout.long_digit
        if sign > 2 or count > 1 << 40:  # noqa: PLR2004 - 0 positive, 1 zero, 2 negative
            raise TornReadError(f"No plausible int at {address:#x}.")
        some = min(count, 4)
        number = 0
        raw = self.pages.read(start + 4 * (count - some), 4 * some)
        for at in range(4 * some - 4, -1, -4):
            number = number << 30 | int.from_bytes(raw[at : at + 4], "little")
        if not any(raw[-4:]):
            raise TornReadError(f"The int at {address:#x} begins with zeros.")
        bits = number.bit_length() + 30 * (count - some)
        if bits <= 63:  # noqa: PLR2004 - as the probe does it
            return (-number if sign else number), bits
        shift = number.bit_length() - 62
        top = number >> shift
        if sign:  # rounded down, as >> does it
            rest = number & (1 << shift) - 1 or self._any_digit(start, count - some)
            top = -(top + (1 if rest else 0))
        return top, bits

    def _any_digit(self, start: int, count: int) -> bool:
        """Whether one of the lowest digits of an int is not 0; so many are taken as such."""
        if count > _MOST_DIGITS:
            return True
        return count > 0 and any(self.pages.read(start, 4 * count))

    def _length(self, address: int) -> int:
        length = self.pages.u64(address)
        if length > _LARGEST:
            raise TornReadError(f"No plausible length at {address:#x}.")
        return length


def _decode(raw: bytes, kind: int) -> str:
    try:
        text = raw.decode(_ENCODINGS[kind], "surrogatepass")
    except UnicodeDecodeError as error:
        raise TornReadError("A str holds no valid characters.") from error
    if kind == 2 and 2 * len(text) != len(raw):  # noqa: PLR2004 - bytes of a character
        # two lone surrogates side by side are two characters of a str
        return "".join([chr(unit) for unit in memoryview(raw).cast("H")])
    return text
