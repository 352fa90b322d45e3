package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestGates holds the goals that are exact: what is counted, not timed.
func TestGates(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	endpoint, err := startEndpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := endpoint.stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, g := range goals {
		if !strings.HasSuffix(g.ID, "allocs") && g.ID != "4c connections" && g.ID != "7 bytes" {
			continue
		}
		f, err := g.measure(&lab{rounds: 1, endpoint: endpoint})
		if err != nil {
			t.Fatalf("%s: %v", g.ID, err)
		}
		if !g.Gate.met(f.Value) {
			t.Errorf("%s (%s) is %v, want %v", g.ID, g.What, f.Value, g.Gate)
		}
	}
}

func TestExact_NamesGoals(t *testing.T) {
	t.Parallel()
	for _, id := range exact {
		if !slices.ContainsFunc(goals, func(g goal) bool { return g.ID == id }) {
			t.Errorf("there is no goal %q", id)
		}
	}
}

// TestMeasure_TriesAgain gives a ratio that misses its gate more chances, and a count
// none.
func TestMeasure_TriesAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values []float64 // of one measurement after the other
		exact  bool
		want   float64
	}{
		"MetAtOnce": {[]float64{1, 9}, false, 1},
		"MetLater":  {[]float64{9, 8, 1}, false, 1},
		"Missed":    {[]float64{9, 8, 7, 1}, false, 7},
		"Count":     {[]float64{9, 1}, true, 9},
	} {
		g := goal{ID: "x", Gate: atMost(2), Stretch: atMost(0), measure: func(*lab) (figure, error) {
			f := figure{Value: tc.values[0]}
			if !tc.exact {
				f.Control = &spread{1, 1, 1}
			}
			tc.values = tc.values[1:]
			return f, nil
		}}
		results, err := measure(t.Context(), &lab{tries: exactTries}, []goal{g})
		if err != nil || results[0].Value != tc.want {
			t.Errorf("%s: measured %v (%v), want %v", name, results, err, tc.want)
		}
		if err := gates(results); (err == nil) != (tc.want <= 2) {
			t.Errorf("%s: %v is judged %v", name, tc.want, err)
		} else if err != nil && !strings.Contains(err.Error(), "goal x is missed") {
			t.Errorf("%s: the error is %q", name, err)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	got := spreadOf([]float64{4, 1, 3, 2})
	if want := (spread{Median: 2.5, Q1: 1.75, Q3: 3.25}); got != want {
		t.Errorf("spread is %+v, want %+v", got, want)
	}
	if !math.IsNaN(spreadOf(nil).Median) {
		t.Error("the median of nothing is a number")
	}
}

func TestSpread_Quiet(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		control spread
		quiet   bool
	}{
		"Quiet":    {spread{1.02, 0.95, 1.1}, true},
		"OffScale": {spread{1.2, 1.15, 1.25}, false},
		"Wide":     {spread{1, 0.8, 1.2}, false},
	} {
		if got := tc.control.quiet(); got != tc.quiet {
			t.Errorf("%s: quiet is %t", name, got)
		}
	}
}

func TestGoal_Verdict(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		gate, stretch bound
		value         float64
		want          string
	}{
		{atMost(0.4), atMost(0.2), 0.2, "stretch"},
		{atMost(0.4), atMost(0.2), 0.3, "gate"},
		{atMost(0.4), atMost(0.2), 0.5, "missed"},
		{atLeast(0.5), atLeast(0.8), 0.9, "stretch"},
		{atLeast(0.5), atLeast(0.8), 0.5, "gate"},
		{atLeast(0.5), atLeast(0.8), 0.4, "missed"},
		{atLeast(0.5), atLeast(0.8), math.NaN(), "missed"},
	} {
		if got := (goal{Gate: tc.gate, Stretch: tc.stretch}).result(count(tc.value)).Verdict; got != tc.want {
			t.Errorf("%v against %v and %v is %q, want %q", tc.value, tc.gate, tc.stretch, got, tc.want)
		}
	}
}

// TestLab_Run has sides that cost what they say, on a clock of the test's.
func TestLab_Run(t *testing.T) {
	t.Parallel()
	var now time.Duration
	costs := func(d time.Duration) side {
		return func(n int) error {
			now += time.Duration(n) * d
			return nil
		}
	}
	r, err := (&lab{rounds: 7}).run(contest{
		subject: costs(4), peer: costs(9), base: costs(1), n: 10, clock: func() time.Duration { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Measured.Median, 3.0/8; got != want {
		t.Errorf("the ratio is %v, want %v", got, want)
	}
	if r.Control.Median != 1 || !r.figure().quiet() {
		t.Errorf("the control is %v, want 1", r.Control)
	}
	if got, want := r.inverse().Measured.Median, 8.0/3; got != want {
		t.Errorf("the inverse is %v, want %v", got, want)
	}
}
