package main

import (
	"bytes"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestGrow measures every dimension that needs no server at its first value, and two
// of them at more. What it costs here says nothing.
func TestGrow(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TEST_DATABASE_URL", "")
	e, err := startEndpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := grow(t.Context(), e, regexp.MustCompile(""), 10)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range rows {
		if r.perEvent <= 0 {
			t.Errorf("%s, %s, at %d takes %v", r.dimension, r.what, r.value, r.perEvent)
		}
		seen[r.dimension]++
	}
	for _, d := range dimensions {
		if d.name != "PostgreSQL queue, retained" && seen[d.name] == 0 {
			t.Errorf("%s was not measured", d.name)
		}
	}
	var out bytes.Buffer
	_ = printGrowth(&out, rows)
	if got := strings.Count(out.String(), "\n"); got != len(rows)+1 {
		t.Errorf("%d lines for %d rows", got, len(rows))
	}
}

func TestGrown(t *testing.T) {
	t.Parallel()
	at := func(what string, value int, took time.Duration, linear bool, memory float64) row {
		return row{
			reading: reading{what: what, perEvent: took, linear: linear, memory: memory, memoryOf: "heap"},
			value:   value, time: math.NaN(), memory: math.NaN(),
		}
	}
	for name, tc := range map[string]struct {
		linear       bool
		took, memory float64 // exponents
		want         string
	}{
		"Flat":           {false, 0, 0, "linear or better"},
		"LinearMemory":   {false, 0, 1, "linear or better"},
		"Grows":          {false, 1, 0, "TIME GROWS"},
		"GrowsLinearly":  {true, 1, 1, "linear or better"},
		"GrowsSquared":   {true, 2, 1, "TIME WORSE THAN LINEAR"},
		"MemorySquared":  {true, 1, 2, "MEMORY WORSE THAN LINEAR"},
		"ALittleIsNoise": {false, 0.4, 1.4, "linear or better"},
	} {
		grow := func(from, exponent float64) float64 { return from * math.Pow(10, exponent) }
		rows := grown([]row{
			at("a", 10, 1000, tc.linear, 1000), at("b", 10, 5, false, 5),
			at("a", 100, time.Duration(grow(1000, tc.took)), tc.linear, grow(1000, tc.memory)), at("b", 100, 5, false, 5),
		})
		if rows[1].what != "a" || rows[1].value != 100 || math.Abs(rows[1].time-tc.took) > 0.01 {
			t.Fatalf("%s: the second row is %+v", name, rows[1])
		}
		got, ok := rows[1].verdict()
		if got != tc.want || ok != (got == "linear or better") {
			t.Errorf("%s: the verdict is %q, %t, want %q", name, got, ok, tc.want)
		}
		if err := printGrowth(&bytes.Buffer{}, rows); (err == nil) != ok {
			t.Errorf("%s: the table's error is %v", name, err)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 12345678: "12,345,678"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
