package outboxtest

import (
	"testing"
	"time"
)

// RunCase runs one case of the suite against tb, with virtual time in mind.
func RunCase(tb testing.TB, name string, store Store) {
	tb.Helper()
	for _, c := range cases {
		if c.name == name {
			c.start(tb, Harness{NewStore: func(testing.TB) Store { return store }, Unit: time.Second})
			return
		}
	}
	panic("no case " + name)
}

// CaseNames are the names of all cases.
func CaseNames() []string {
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	return names
}
