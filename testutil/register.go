package testutil

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Party is a person or an organisation of the register that the sink looks parties
// up in.
type Party struct {
	// PartyID is the number of "/party/{id}".
	PartyID int `json:"partyId"`
	// OrganisationNumber is 9 digits, of an organisation.
	OrganisationNumber string `json:"organisationNumber,omitempty"`
	// PersonNumber is 11 digits, of a person. It is personal data.
	PersonNumber string `json:"personNumber,omitempty"`
	// MainUnit is the PartyID of the organisation that this one is a sub-unit of, or
	// 0.
	MainUnit int `json:"mainUnit,omitempty"`
}

// SetParties replaces the register. See SinkConfig.Parties. The error names every
// party that cannot be meant; the register is unchanged then.
func (s *Sink) SetParties(parties []Party) error {
	if err := validateParties(parties); err != nil {
		return err
	}
	s.register.set(parties)
	return nil
}

// ParseParties reads a register from JSON, strictly: an array of objects with the
// members of Party. The error says where and what, without the numbers.
func ParseParties(data []byte) ([]Party, error) {
	var parties []Party
	if err := decodeStrict(data, &parties); err != nil {
		return nil, err
	}
	return parties, validateParties(parties)
}

var personNumber = regexp.MustCompile(`^\d{11}$`)

func validateParties(parties []Party) error {
	var faults []error
	known := map[int]bool{}
	for _, p := range parties {
		known[p.PartyID] = true
	}
	for i, p := range parties {
		add := func(bad bool, fault string) {
			if bad {
				faults = append(faults, fmt.Errorf("party %d: %s", i, fault))
			}
		}
		add(p.PartyID <= 0, "partyId is missing or not positive")
		add((p.OrganisationNumber == "") == (p.PersonNumber == ""), "want organisationNumber or personNumber, and not both")
		add(p.OrganisationNumber != "" && !unitNumber.MatchString(p.OrganisationNumber), "organisationNumber is not 9 digits")
		add(p.PersonNumber != "" && !personNumber.MatchString(p.PersonNumber), "personNumber is not 11 digits")
		add(p.MainUnit != 0 && !known[p.MainUnit], "mainUnit is the partyId of no party here")
	}
	return errors.Join(faults...)
}

// register is the sink's table of parties.
type register struct {
	mu             sync.RWMutex
	parties        []Party
	byID           map[int]Party
	byOrganisation map[string]Party
	byPerson       map[string]Party
}

func (r *register) set(parties []Party) {
	byID, byOrganisation, byPerson := map[int]Party{}, map[string]Party{}, map[string]Party{}
	for _, p := range parties {
		byID[p.PartyID] = p
		if p.OrganisationNumber != "" {
			byOrganisation[p.OrganisationNumber] = p
		}
		if p.PersonNumber != "" {
			byPerson[p.PersonNumber] = p
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parties, r.byID, r.byOrganisation, r.byPerson = slices.Clone(parties), byID, byOrganisation, byPerson
}

// organisation returns the party with an organisation number.
func (r *register) organisation(number string) (Party, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p, ok := r.byOrganisation[number]
	return p, ok
}

// person returns the party with a national identity number.
func (r *register) person(number string) (Party, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p, ok := r.byPerson[number]
	return p, ok
}

// party returns the party with an id.
func (r *register) party(id int) (Party, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p, ok := r.byID[id]
	return p, ok
}

// subject returns "/party/{id}" of an alternative subject: "/person/…",
// "/organisation/…" or "/org/{digits}".
func (r *register) subject(alternativeSubject string) (subject string, ok bool) {
	kind, number, _ := strings.Cut(strings.TrimPrefix(alternativeSubject, "/"), "/")
	var p Party
	switch kind {
	case "person":
		p, ok = r.person(number)
	case "organisation", "org":
		p, ok = r.organisation(number)
	}
	if !ok {
		return "", false
	}
	return "/party/" + strconv.Itoa(p.PartyID), true
}

// mainUnit returns the organisation that p is a sub-unit of.
func (r *register) mainUnit(p Party) (Party, bool) {
	if p.MainUnit == 0 {
		return Party{}, false
	}
	return r.party(p.MainUnit)
}
