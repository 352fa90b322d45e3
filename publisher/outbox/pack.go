package outbox

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// entry is an item in a lane, packed: 144 bytes and the body, which it shares with the
// item, where an Item and its strings are 168 bytes and up to seven.
type entry struct {
	next    *entry // in its lane
	behind  *entry // in an entryList
	key     uint64 // the hash of the item's
	body    []byte
	rest    []byte // in room, if that is enough
	seq     int64
	attempt uint32
	room    [60]byte // for rest: that of an event of an app has up to 60 bytes
}

// rest is PublishedAt, in seconds and nanoseconds, and the item's strings: each with its
// length doubled and, if it was found in the body, where, or else plus one and the string
// itself. Nearly always the body holds source and type. The key comes last, unless it is
// the source.

// shortText is what is not worth a search.
const shortText = 8

// pack returns item as an entry, which shares the body with it.
func pack(item *Item, key uint64) *entry {
	var buf [256]byte
	rest := binary.AppendVarint(buf[:0], item.PublishedAt.Unix())
	rest = binary.AppendUvarint(rest, uint64(item.PublishedAt.Nanosecond())) //nolint:gosec // not negative
	// The body of an event of an app does not hold its id, and that search alone was a
	// quarter of what packing costs. For other events the id is kept twice, 36 bytes.
	rest = appendText(rest, item.ID)
	rest = appendFound(rest, item.Source, item.Body)
	rest = appendFound(rest, item.Type, item.Body)
	rest = appendText(rest, item.Endpoint)
	rest = appendFound(rest, item.TraceParent, item.Body)
	if item.Key != item.Source {
		rest = appendText(rest, item.Key)
	}
	e := &entry{key: key, body: item.Body}
	e.rest = append(e.room[:0], rest...)
	return e
}

// appendText appends s.
func appendText(rest []byte, s string) []byte {
	rest = binary.AppendUvarint(rest, uint64(len(s))<<1|1)
	return append(rest, s...)
}

// appendFound appends where body holds s, or s.
func appendFound(rest []byte, s string, body []byte) []byte {
	with := appendText(rest, s)
	if len(s) <= shortText {
		return with
	}
	at := bytes.Index(body, with[len(with)-len(s):])
	if at < 0 {
		return with
	}
	rest = binary.AppendUvarint(rest, uint64(len(s))<<1)
	return binary.AppendUvarint(rest, uint64(at))
}

// unpack returns the item. Its strings share one copy of the body.
func (e *entry) unpack() Item {
	item := Item{Body: slices.Clip(e.body), PublishedAt: e.publishedAt(), Attempt: int(e.attempt)}
	r := reader{rest: string(e.rest), body: string(e.body)}
	r.number() // PublishedAt
	r.number()
	for _, s := range []*string{&item.ID, &item.Source, &item.Type, &item.Endpoint, &item.TraceParent} {
		*s = r.text()
	}
	item.Key = item.Source
	if r.rest != "" {
		item.Key = r.text()
	}
	return item
}

// reader reads what pack has written.
type reader struct{ rest, body string }

func (r *reader) number() int {
	v, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	r.rest = r.rest[n:]
	return int(v) //nolint:gosec // pack wrote an int
}

func (r *reader) text() (s string) {
	n := r.number()
	if n&1 == 0 {
		return r.body[r.number():][:n>>1]
	}
	s, r.rest = r.rest[:n>>1], r.rest[n>>1:]
	return s
}

func (e *entry) publishedAt() time.Time {
	seconds, n := binary.Varint(e.rest)
	nanoseconds, _ := binary.Uvarint(e.rest[n:])
	return time.Unix(seconds, int64(nanoseconds)) //nolint:gosec // pack wrote less than a second
}
