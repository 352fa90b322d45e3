package outbox

import (
	"bytes"
	"encoding/binary"
	"time"
)

// entry is an item in a lane, packed: 48 bytes and one array, where an Item and its
// strings are 168 bytes and up to seven.
type entry struct {
	next    *entry
	packed  []byte
	body    uint32 // how long the body is, with which packed begins
	attempt uint32
	seq     int64
}

// Behind the body stand PublishedAt, in seconds and nanoseconds, and the item's
// strings: each with its length doubled and, if the body holds it too, where, or else
// plus one and the string itself. Nearly always the body holds source, type and key.

// pack returns item as an entry, which shares no memory with it.
func pack(item *Item) *entry {
	var buf [256]byte
	rest := binary.AppendVarint(buf[:0], item.PublishedAt.Unix())
	rest = binary.AppendUvarint(rest, uint64(item.PublishedAt.Nanosecond())) //nolint:gosec // not negative
	for _, s := range item.strings() {
		n, start := uint64(len(*s)), len(rest)
		rest = binary.AppendUvarint(rest, n<<1|1)
		text := len(rest)
		rest = append(rest, *s...)
		if at := bytes.Index(item.Body, rest[text:]); at >= 0 {
			rest = binary.AppendUvarint(rest[:start], n<<1)
			rest = binary.AppendUvarint(rest, uint64(at))
		}
	}
	packed := make([]byte, len(item.Body)+len(rest))
	copy(packed[copy(packed, item.Body):], rest)
	return &entry{packed: packed, body: uint32(len(item.Body))} //nolint:gosec // at most publisher.MaxEventBytes
}

// unpack returns the item, but for Attempt. Its strings share one copy of the entry.
func (e *entry) unpack() Item {
	all := string(e.packed)
	item := Item{Body: e.packed[:e.body:e.body]}
	at := int(e.body)
	number := func() int {
		v, n := binary.Uvarint(e.packed[at:])
		at += n
		return int(v) //nolint:gosec // pack wrote an int
	}
	item.PublishedAt = e.publishedAt()
	_, n := binary.Varint(e.packed[at:])
	at += n
	number()
	for _, s := range item.strings() {
		n := number()
		if n&1 == 0 {
			start := number()
			*s = all[start : start+n>>1]
		} else {
			*s = all[at : at+n>>1]
			at += n >> 1
		}
	}
	return item
}

func (e *entry) publishedAt() time.Time {
	seconds, n := binary.Varint(e.packed[e.body:])
	nanoseconds, _ := binary.Uvarint(e.packed[int(e.body)+n:])
	return time.Unix(seconds, int64(nanoseconds)) //nolint:gosec // pack wrote less than a second
}

// strings returns the fields that are strings.
func (i *Item) strings() [6]*string {
	return [...]*string{&i.ID, &i.Source, &i.Type, &i.Key, &i.Endpoint, &i.TraceParent}
}
