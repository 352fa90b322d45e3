package middleware

import (
	"bytes"
	"errors"
	"fmt"
)

// errCut means that JSON is well-formed as far as it goes and ends too early.
var errCut = errors.New("the JSON ends before it is complete")

// maxDepth is how deep JSON may be nested, as in encoding/json.
const maxDepth = 10_000

// project appends to dst a JSON object of those members of the object in data whose
// names are given, and returns how many names it has not found. Names that differ in
// case or are written with escapes are included, so that decoding the result is
// decoding data.
//
// All of data is checked. The error is errCut if it ends early, and the members
// that are complete are then returned with it.
func project(dst, data []byte, names []string) (members []byte, missing int, err error) {
	members = append(dst, '{') //nolint:gocritic // dst is the caller's room for it
	var found uint
	s := scanner{data: data}
	if err = s.need('{'); err == nil {
		err = s.object(0, func(name, value []byte) {
			keep := bytes.IndexByte(name, '\\') >= 0
			for i := range names {
				if bytes.EqualFold(name, []byte(names[i])) {
					keep = true
					found |= 1 << i
				}
			}
			if !keep {
				return
			}
			if len(members) > 1 {
				members = append(members, ',')
			}
			members = append(members, '"')
			members = append(members, name...)
			members = append(members, '"', ':')
			members = append(members, value...)
		})
	}
	if err == nil && s.space() {
		err = s.malformed()
	}
	for i := range names {
		if found&(1<<i) == 0 {
			missing++
		}
	}
	return append(members, '}'), missing, err
}

// scanner reads over JSON (RFC 8259) and checks it, without building values.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) malformed() error {
	return fmt.Errorf("malformed JSON at byte %d", s.pos)
}

// space skips white space and reports whether anything follows.
func (s *scanner) space() bool {
	for ; s.pos < len(s.data); s.pos++ {
		if c := s.data[s.pos]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return true
		}
	}
	return false
}

// need reads c, after white space.
func (s *scanner) need(c byte) error {
	if !s.space() {
		return errCut
	}
	if s.data[s.pos] != c {
		return s.malformed()
	}
	s.pos++
	return nil
}

// at reads c, after white space, if it is there.
func (s *scanner) at(c byte) bool {
	if s.space() && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// value reads any value, after white space. depth counts what it is in.
func (s *scanner) value(depth int) error {
	if !s.space() {
		return errCut
	}
	switch c := s.data[s.pos]; {
	case (c == '{' || c == '[') && depth == maxDepth:
		return s.malformed()
	case c == '{':
		s.pos++
		return s.object(depth, nil)
	case c == '[':
		s.pos++
		return s.array(depth)
	case c == '"':
		s.pos++
		return s.text()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

// object reads what follows a '{' and calls member, if there is one, with each
// name, without its quotes, and its value.
func (s *scanner) object(depth int, member func(name, value []byte)) error {
	if s.at('}') {
		return nil
	}
	for {
		if err := s.need('"'); err != nil {
			return err
		}
		nameStart := s.pos
		if err := s.text(); err != nil {
			return err
		}
		name := s.data[nameStart : s.pos-1]
		if err := s.need(':'); err != nil {
			return err
		}
		s.space()
		valueStart := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		value := s.data[valueStart:s.pos]
		last, err := s.separator('}')
		if err != nil {
			return err
		}
		if member != nil {
			member(name, value)
		}
		if last {
			return nil
		}
	}
}

// array reads what follows a '['.
func (s *scanner) array(depth int) error {
	if s.at(']') {
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if last, err := s.separator(']'); err != nil || last {
			return err
		}
	}
}

// separator reads a comma or, as the last, end.
func (s *scanner) separator(end byte) (last bool, err error) {
	switch {
	case s.at(','):
		return false, nil
	default:
		return true, s.need(end)
	}
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return table
}()

// text reads what follows a '"'.
func (s *scanner) text() error {
	for {
		rest := s.data[s.pos:]
		n := 0
		for n < len(rest) && plain[rest[n]] {
			n++
		}
		s.pos += n
		switch {
		case n == len(rest):
			return errCut
		case rest[n] == '"':
			s.pos++
			return nil
		case rest[n] != '\\':
			return s.malformed()
		}
		s.pos++
		if err := s.escape(); err != nil {
			return err
		}
	}
}

// escape reads what follows a '\'.
func (s *scanner) escape() error {
	if s.pos == len(s.data) {
		return errCut
	}
	c := s.data[s.pos]
	if bytes.IndexByte([]byte(`"\/bfnrtu`), c) < 0 {
		return s.malformed()
	}
	s.pos++
	if c != 'u' {
		return nil
	}
	for range 4 {
		if s.pos == len(s.data) {
			return errCut
		}
		switch c := s.data[s.pos]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			s.pos++
		default:
			return s.malformed()
		}
	}
	return nil
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if s.pos == len(s.data) {
			return errCut
		}
		if s.data[s.pos] != word[i] {
			return s.malformed()
		}
		s.pos++
	}
	return nil
}

func (s *scanner) number() error {
	s.skip('-')
	if !s.skip('0') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.skip('.') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		return s.digits()
	}
	return nil
}

// skip reads c if it is there.
func (s *scanner) skip(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// digits reads one digit or more.
func (s *scanner) digits() error {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	switch {
	case s.pos > start:
		return nil
	case s.pos == len(s.data):
		return errCut
	default:
		return s.malformed()
	}
}
