package outbox

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// entry is an item in a lane, packed: 128 bytes and the body, where an Item and its
// strings are 152 bytes and up to seven. A queue may hold very many, so it has few
// pointers for the garbage collector to follow.
type entry struct {
	next    *entry // in its lane
	behind  *entry // in an entryList
	key     uint64 // the hash of the item's
	body    []byte // shared with the item; or a copy, and rest, if that is longer than room
	seq     int64
	size    int32 // of the body
	attempt uint32
	used    uint8    // of room by rest; 0 if it is not there
	room    [63]byte // rest of an event of an app has up to 60 bytes if it is not traced
}

// rest is PublishedAt, in seconds and nanoseconds, and the item's strings: each with its
// length doubled and, if it was found in the body, where, or else plus one and the string
// itself. Nearly always the body holds source and type. The key comes last, unless it is
// the source.

// shortText is what is not worth a search.
const shortText = 8

// pack returns item as an entry.
func pack(item *Item, key uint64) *entry {
	var buf [256]byte
	rest := binary.AppendVarint(buf[:0], item.PublishedAt.Unix())
	rest = binary.AppendUvarint(rest, uint64(item.PublishedAt.Nanosecond())) //nolint:gosec // not negative
	// The body of an event of an app does not hold its id, and that search alone was a
	// quarter of what packing costs. For other events the id is kept twice, 36 bytes.
	rest = appendText(rest, item.ID)
	const before, between = len(`{"type":"`), len(`","source":"`) // in an event of an app
	rest = appendFound(rest, item.Source, item.Body, before+len(item.Type)+between)
	rest = appendFound(rest, item.Type, item.Body, before)
	rest = appendText(rest, item.Endpoint)
	rest = appendFound(rest, item.TraceParent, item.Body, 0)
	if item.Key != item.Source {
		rest = appendText(rest, item.Key)
	}
	e := &entry{key: key, body: item.Body, size: int32(len(item.Body))} //nolint:gosec // an event is not 2 GiB long
	if len(rest) <= len(e.room) {
		e.used = uint8(copy(e.room[:], rest)) //nolint:gosec // it is not longer than room
	} else {
		e.body = append(slices.Clip(item.Body), rest...)
	}
	return e
}

// rest returns what is kept of the item but its body.
func (e *entry) rest() []byte {
	if e.used > 0 {
		return e.room[:e.used]
	}
	return e.body[e.size:]
}

// appendText appends s.
func appendText(rest []byte, s string) []byte {
	rest = binary.AppendUvarint(rest, uint64(len(s))<<1|1)
	return append(rest, s...)
}

// appendFound appends where body holds s, which is at guess more often than not, or s.
func appendFound(rest []byte, s string, body []byte, guess int) []byte {
	if len(s) <= shortText {
		return appendText(rest, s)
	}
	at := guess
	if len(body) < at+len(s) || string(body[at:at+len(s)]) != s {
		with := appendText(rest, s)
		if at = bytes.Index(body, with[len(with)-len(s):]); at < 0 {
			return with
		}
	}
	rest = binary.AppendUvarint(rest, uint64(len(s))<<1)
	return binary.AppendUvarint(rest, uint64(at)) //nolint:gosec // not negative
}

// unpack returns the item. Its strings share one allocation.
func (e *entry) unpack() Item {
	body, rest := e.body[:e.size:e.size], e.rest()
	item := Item{Body: body, PublishedAt: e.publishedAt(), Attempt: int(e.attempt)}
	number := func() int {
		v, n := binary.Uvarint(rest)
		rest = rest[n:]
		return int(v) //nolint:gosec // pack wrote an int
	}
	number() // PublishedAt
	number()
	var (
		buf     [512]byte
		all     = buf[:0]
		strings = [...]*string{&item.ID, &item.Source, &item.Type, &item.Endpoint, &item.TraceParent, &item.Key}
		ends    [len(strings)]int
		n       int
	)
	for ; n < len(strings) && len(rest) > 0; n++ {
		if size := number(); size&1 == 0 {
			all = append(all, body[number():][:size>>1]...)
		} else {
			all = append(all, rest[:size>>1]...)
			rest = rest[size>>1:]
		}
		ends[n] = len(all)
	}
	text, start := string(all), 0
	for i, end := range ends[:n] {
		*strings[i] = text[start:end]
		start = end
	}
	if n < len(strings) {
		item.Key = item.Source
	}
	return item
}

func (e *entry) publishedAt() time.Time {
	rest := e.rest()
	seconds, n := binary.Varint(rest)
	nanoseconds, _ := binary.Uvarint(rest[n:])
	return time.Unix(seconds, int64(nanoseconds)) //nolint:gosec // pack wrote less than a second
}
