package main

import (
	"fmt"
	"math"
	"time"
)

// lab is what goals measure with.
type lab struct {
	rounds   int
	slice    time.Duration // on the contest's clock, roughly
	tries    int           // of a goal before it counts as missed
	endpoint *endpoint
}

// goal is a row of the table: what is promised, and how it is measured.
type goal struct {
	ID, What string
	Gate     bound
	Stretch  bound
	measure  func(l *lab) (figure, error)
}

// bound is the worst that is good enough.
type bound struct {
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"atLeast"` // or at most
}

func atMost(limit float64) bound  { return bound{limit, false} }
func atLeast(limit float64) bound { return bound{limit, true} }

func (b bound) met(value float64) bool {
	switch {
	case math.IsNaN(value):
		return false
	case b.AtLeast:
		return value >= b.Limit
	default:
		return value <= b.Limit
	}
}

func (b bound) String() string {
	sign := "≤"
	if b.AtLeast {
		sign = "≥"
	}
	return fmt.Sprintf("%s %.4g", sign, b.Limit)
}

// figure is what was measured: a ratio with its control, or a count.
type figure struct {
	Value   float64 `json:"value"`
	Q1      float64 `json:"q1,omitempty"`
	Q3      float64 `json:"q3,omitempty"`
	Control *spread `json:"control,omitempty"` // nil for counts, which are exact
}

func (r ratio) figure() figure {
	return figure{Value: r.Measured.Median, Q1: r.Measured.Q1, Q3: r.Measured.Q3, Control: &r.Control}
}

func count(value float64) figure { return figure{Value: value} }

func (f figure) quiet() bool { return f.Control == nil || f.Control.quiet() }

func (f figure) String() string {
	if f.Control == nil {
		return fmt.Sprintf("%.4g", f.Value)
	}
	return spread{f.Value, f.Q1, f.Q3}.String()
}

// result is a goal that was measured.
type result struct {
	ID      string `json:"id"`
	What    string `json:"what"`
	Gate    bound  `json:"gate"`
	Stretch bound  `json:"stretch"`
	figure
	Verdict string `json:"verdict"` // "stretch", "gate" or "missed"
	Quiet   bool   `json:"quiet"`
}

const missedGate = "missed"

func (g goal) result(f figure) result {
	verdict := missedGate
	switch {
	case g.Stretch.met(f.Value):
		verdict = "stretch"
	case g.Gate.met(f.Value):
		verdict = "gate"
	}
	return result{ID: g.ID, What: g.What, Gate: g.Gate, Stretch: g.Stretch, figure: f, Verdict: verdict, Quiet: f.quiet()}
}
