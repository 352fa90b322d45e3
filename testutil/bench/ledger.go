package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
)

// ledger knows which events have arrived: a soak's are numbered, instance by
// instance, step by step.
type ledger struct {
	mu         sync.Mutex
	arrivals   []uint8 // how often each has come
	total      int
	unknown    int // what is not in the books
	disordered int // came before an earlier one of their instance
}

// newLedger returns one for n events, or somewhat fewer: lives are whole.
func newLedger(n int) *ledger {
	return &ledger{arrivals: make([]uint8, max(1, n/len(lifeSteps))*len(lifeSteps))}
}

// place says what the nth request is about, when so many instances begin together.
// The last ones are fewer.
func (l *ledger) place(n, together int) (step, instance int) {
	block := together * len(lifeSteps)
	first := n / block * together
	together = min(together, len(l.arrivals)/len(lifeSteps)-first)
	return n % block / together, first + n%block%together
}

// arrive notes a posted event.
func (l *ledger) arrive(body []byte) {
	var posted struct {
		Source string `json:"source"`
		Type   string `json:"type"`
	}
	err := json.Unmarshal(body, &posted)
	var instance int
	if err == nil {
		_, err = fmt.Sscanf(path.Base(posted.Source), guidForm, &instance)
	}
	step := 0
	for step < len(lifeSteps) && lifeSteps[step].eventType != posted.Type {
		step++
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	at := instance*len(lifeSteps) + step
	if err != nil || step == len(lifeSteps) || instance < 0 || at >= len(l.arrivals) {
		l.unknown++
		return
	}
	if l.arrivals[at] == 0 && step > 0 && l.arrivals[at-1] == 0 {
		l.disordered++
	}
	if l.arrivals[at] < math.MaxUint8 {
		l.arrivals[at]++
	}
}

// delivered is how many events have arrived, once or more often.
func (l *ledger) delivered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.distinct()
}

func (l *ledger) distinct() int {
	n := 0
	for _, times := range l.arrivals {
		if times > 0 {
			n++
		}
	}
	return n
}

// judge holds the books against what the app has accepted, what the sink says that
// it has taken and what the queue still has.
//
// What is delivered and not yet marked so is pending too, so the sum may be more.
// The sink takes no more than has been posted: a client that gives up while its
// request waits has posted nothing, and posts it again.
func (l *ledger) judge(accepted, taken, pending int) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	distinct := l.distinct()
	found := fmt.Sprintf("%d delivered, none missing", distinct)
	if missing := len(l.arrivals) - distinct; missing > 0 {
		first := slices.Index(l.arrivals, 0)
		found = fmt.Sprintf("%d delivered, %d missing and %d pending; the first is %s of instance %d", distinct, missing, pending,
			strings.TrimPrefix(lifeSteps[first%len(lifeSteps)].eventType, "app.instance."), first/len(lifeSteps))
	}
	if l.unknown > 0 {
		found += fmt.Sprintf("; %d unknown", l.unknown)
	}
	return verdict{
		{"requests answered", accepted == len(l.arrivals), fmt.Sprintf("%d of %d with 2xx", accepted, len(l.arrivals))},
		{"nothing lost", distinct+pending >= len(l.arrivals) && l.unknown == 0, found},
		{"in order", l.disordered == 0, fmt.Sprintf("%d before their predecessor", l.disordered)},
		{"sink agrees", distinct <= taken && taken <= l.total, fmt.Sprintf("it took %d, %d of them repeats", taken, taken-distinct)},
	}
}
