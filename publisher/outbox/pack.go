package outbox

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// entry is an item in a lane, packed: 64 bytes, the body, which it shares with the item,
// and a string, where an Item and its strings are 168 bytes and up to seven.
type entry struct {
	next    *entry
	body    []byte
	rest    string
	attempt uint32
	seq     int64
}

// rest is PublishedAt, in seconds and nanoseconds, and the item's strings: each with its
// length doubled and, if it was found in the body, where, or else plus one and the string
// itself. Nearly always the body holds source and type, and the key is the source.

// shortText is what is not worth a search. Neither is an id: the body of an event of an
// app does not hold it, and that search alone was a quarter of what packing costs. For
// other events the id is kept twice, 36 bytes.
const shortText = 8

// pack returns item as an entry, which shares the body with it.
func pack(item *Item) *entry {
	var buf [256]byte
	rest := binary.AppendVarint(buf[:0], item.PublishedAt.Unix())
	rest = binary.AppendUvarint(rest, uint64(item.PublishedAt.Nanosecond())) //nolint:gosec // not negative
	source := -1
	for _, s := range item.strings() {
		n, start := uint64(len(*s)), len(rest)
		rest = binary.AppendUvarint(rest, n<<1|1)
		text := len(rest)
		rest = append(rest, *s...)
		at := -1
		switch {
		case s == &item.Key && *s == item.Source:
			at = source
		case s != &item.ID && n > shortText:
			at = bytes.Index(item.Body, rest[text:])
		}
		if s == &item.Source {
			source = at
		}
		if at >= 0 {
			rest = binary.AppendUvarint(rest[:start], n<<1)
			rest = binary.AppendUvarint(rest, uint64(at))
		}
	}
	return &entry{body: item.Body, rest: string(rest)}
}

// unpack returns the item, but for Attempt. Its strings share one copy of the body.
func (e *entry) unpack() Item {
	body := string(e.body)
	item := Item{Body: slices.Clip(e.body)}
	numbers := []byte(e.rest)
	at := 0
	number := func() int {
		v, n := binary.Uvarint(numbers[at:])
		at += n
		return int(v) //nolint:gosec // pack wrote an int
	}
	item.PublishedAt = e.publishedAt()
	_, n := binary.Varint(numbers)
	at += n
	number()
	for _, s := range item.strings() {
		n := number()
		if n&1 == 0 {
			start := number()
			*s = body[start : start+n>>1]
		} else {
			*s = e.rest[at : at+n>>1]
			at += n >> 1
		}
	}
	return item
}

func (e *entry) publishedAt() time.Time {
	head := []byte(e.rest[:min(len(e.rest), 2*binary.MaxVarintLen64)])
	seconds, n := binary.Varint(head)
	nanoseconds, _ := binary.Uvarint(head[n:])
	return time.Unix(seconds, int64(nanoseconds)) //nolint:gosec // pack wrote less than a second
}

// strings returns the fields that are strings.
func (i *Item) strings() [6]*string {
	return [...]*string{&i.ID, &i.Source, &i.Type, &i.Key, &i.Endpoint, &i.TraceParent}
}
