package middleware

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/altinn-go/events/models"
)

// readInstance reads an instance's id and owner from JSON that project has
// returned, as encoding/json would, in a tenth of the time: it is what most events
// begin with. It is not ok if anything is out of the ordinary (an escape, a null,
// a name in another case), for encoding/json to decide.
func readInstance(members []byte) (instance models.Instance, ok bool) {
	var texts texts
	texts.all.Grow(len(members))
	s := scanner{data: members}
	ok = s.eachMember(func(name, value []byte) bool {
		switch string(name) {
		case "id":
			return texts.set(&instance.ID, value)
		case "instanceOwner":
			return readOwner(&instance.InstanceOwner, value, &texts)
		default:
			return false // project returns no other names, but these in another spelling
		}
	})
	return instance, ok
}

func readOwner(owner *models.InstanceOwner, value []byte, texts *texts) bool {
	fields := [...]struct {
		name string
		text *string
	}{
		{"partyId", &owner.PartyID},
		{"personNumber", &owner.PersonNumber},
		{"organisationNumber", &owner.OrganisationNumber},
		{"username", &owner.Username},
		{"externalIdentifier", &owner.ExternalIdentifier},
	}
	s := scanner{data: value}
	return s.eachMember(func(name, value []byte) bool {
		for _, field := range fields {
			if string(name) == field.name {
				return string(value) == "null" || texts.set(field.text, value)
			}
			if bytes.EqualFold(name, []byte(field.name)) {
				return false
			}
		}
		return bytes.IndexByte(name, '\\') < 0
	})
}

// eachMember calls member with the names and values of an object and nothing else,
// until it returns false. It reports whether all of them were read.
func (s *scanner) eachMember(member func(name, value []byte) bool) bool {
	ok := true
	err := s.need('{')
	if err == nil {
		err = s.object(0, func(name, value []byte) { ok = ok && member(name, value) })
	}
	return ok && err == nil
}

// texts are strings that share one allocation.
type texts struct{ all strings.Builder }

// set sets text to a JSON string that needs no decoding.
func (t *texts) set(text *string, value []byte) bool {
	if len(value) < 2 || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 || !utf8.Valid(value) {
		return false
	}
	start := t.all.Len()
	t.all.Write(value[1 : len(value)-1])
	*text = t.all.String()[start:]
	return true
}
