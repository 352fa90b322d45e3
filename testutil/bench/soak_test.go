package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestSoak_Run is a soak of a second: nothing may be lost, whatever fails. What is
// flat shows only after longer.
func TestSoak_Run(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var progress bytes.Buffer
	v, err := soak{
		length: time.Second, rate: 300, every: 250 * time.Millisecond, fault: 80 * time.Millisecond,
		warmup: 300 * time.Millisecond, log: &progress,
	}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v {
		if !c.met && !strings.HasSuffix(c.name, " flat") {
			t.Errorf("%s: %s", c.name, c.text)
		}
	}
	if !strings.Contains(progress.String(), "300 requests") {
		t.Errorf("told %q", progress.String())
	}
}

func TestSoakCommand_RefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-rate 0", "-fault 1m -every 1m", "-for 1m -warmup 1m", "-for -1s"} {
		if err := soakCommand(t.Context(), strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s is taken", args)
		}
	}
}

// posted is the body of the event of a step.
func posted(step, instance int) []byte {
	return fmt.Appendf(nil, `{"source":"https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/`+guidForm+`","type":%q}`,
		instance, lifeSteps[step].eventType)
}

func missed(v verdict) string {
	var names []string
	for _, c := range v {
		if !c.met {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

func TestLedger_Judge(t *testing.T) {
	t.Parallel()
	arrive := func(l *ledger, leaveOut int) {
		for n := range l.arrivals {
			if n != leaveOut {
				l.arrive(posted(l.place(n, 4)))
			}
		}
	}
	for name, tc := range map[string]struct {
		do                       func(l *ledger)
		accepted, taken, pending int
		want                     string
	}{
		"All":       {func(l *ledger) { arrive(l, -1) }, 30, 30, 0, ""},
		"Repeats":   {func(l *ledger) { arrive(l, -1); l.arrive(posted(1, 3)) }, 30, 31, 0, ""},
		"Lost":      {func(l *ledger) { arrive(l, 29) }, 30, 29, 0, "nothing lost"},
		"Pending":   {func(l *ledger) { arrive(l, 29) }, 30, 29, 1, ""},
		"Abandoned": {func(l *ledger) { arrive(l, -1); l.arrive(posted(1, 3)) }, 30, 30, 0, ""},
		"Disorder":  {func(l *ledger) { l.arrive(posted(1, 3)); arrive(l, -1) }, 30, 31, 0, "in order"},
		"Refused":   {func(l *ledger) { arrive(l, -1) }, 29, 30, 0, "requests answered"},
		"Unknown":   {func(l *ledger) { arrive(l, -1); l.arrive(posted(0, 10)) }, 30, 31, 0, "nothing lost"},
		"Untaken":   {func(l *ledger) { arrive(l, -1) }, 30, 29, 0, "sink agrees"},
		"Unposted":  {func(l *ledger) { arrive(l, -1) }, 30, 31, 0, "sink agrees"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(31)
			tc.do(l)
			if got := missed(l.judge(tc.accepted, tc.taken, tc.pending)); got != tc.want {
				t.Errorf("missed are %q, want %q", got, tc.want)
			}
		})
	}
}

// TestLedger_Place has every step of every instance once, each after the one before.
func TestLedger_Place(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 12, 30, 33} {
		l := newLedger(n)
		last := map[int]int{}
		for i := range l.arrivals {
			step, instance := l.place(i, 4)
			if before, ok := last[instance]; ok && step != before+1 || !ok && step != 0 || instance >= n/3 {
				t.Fatalf("of %d the %dth is step %d of instance %d", n, i, step, instance)
			}
			last[instance] = step
		}
		if len(last) != n/3 {
			t.Errorf("%d instances of %d", len(last), n/3)
		}
	}
}

func TestJudgeVitals(t *testing.T) {
	t.Parallel()
	series := func(grow float64) []vital {
		var all []vital
		for i := range 90 {
			v := vital{at: time.Duration(i) * time.Second, rss: 100, heap: 100, goroutines: 100, files: 100, disk: 100}
			if i < 30 {
				v.rss, v.heap = 10, 10 // has no say
			} else {
				v.heap *= 1 + grow*float64(i-30)/60
			}
			all = append(all, v)
		}
		return all
	}
	for name, tc := range map[string]struct {
		vitals []vital
		want   string
	}{
		"Flat":   {series(0.05), ""},
		"Leak":   {series(0.5), "heap flat"},
		"Shrink": {series(-0.5), "heap flat"},
		"None":   {nil, "rss flat, heap flat, goroutines flat, file descriptors flat, disk flat"},
	} {
		if got := missed(judgeVitals(tc.vitals, 30*time.Second)); got != tc.want {
			t.Errorf("%s: missed are %q, want %q", name, got, tc.want)
		}
	}
}

func TestVerdict_Print(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (verdict{{"one", true, "fine"}}).print(&out); err != nil {
		t.Error(err)
	}
	if err := (verdict{{"one", true, "fine"}, {"two", false, "bad"}}).print(&out); err == nil {
		t.Error("a missed criterion is no error")
	}
	if !strings.Contains(out.String(), "MISSED") {
		t.Errorf("printed %q", out.String())
	}
}
