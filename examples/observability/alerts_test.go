package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

// alertCases are series of a sample a minute, in the notation of promqltest: "_x20" is
// twenty scrapes without one. fires is when the alert does, in minutes of the first two
// hours.
var alertCases = []struct{ alert, name, series, fires string }{
	{"AltinnEventsDiscarded", "NoneEver", `altinn_events_discarded_total _x120`, ""},
	{"AltinnEventsDiscarded", "FirstOnes", `altinn_events_discarded_total _x20 500x100`, "20-34"},
	{"AltinnEventsDiscarded", "FirstOfAnotherKind", "altinn_events_discarded_total{error_type=\"400\"} 7x120\n" +
		`altinn_events_discarded_total{error_type="413"} _x50 1x70`, "0-14 50-64"},
	{"AltinnEventsDiscarded", "OneMore", `altinn_events_discarded_total 1x59 2x60`, "0-14 60-88"},
	{"AltinnEventsDiscarded", "RestartForMinutes", `altinn_events_discarded_total 5x58 stale _x3 3x60`, "0-14 63-87"},
	{"AltinnEventsDiscarded", "RestartForAnHour", `altinn_events_discarded_total 5x20 stale _x58 3x40`, "0-14 80-94"},
	{"AltinnEventsDiscarded", "ReplacedByAnotherProcess", "altinn_events_discarded_total{instance=\"a\"} 5x58 stale\n" +
		`altinn_events_discarded_total{instance="b"} _x60 5x60`, "0-14 60-74"},
	{"AltinnEventsDiscarded", "ScrapesFail", `altinn_events_discarded_total 5x50 stale 5x30 stale _x9 5x30`, "0-14"},

	{"AltinnEventsNotPublished", "AcceptedOnly", `altinn_events_published_total{altinn_outcome="accepted"} 0+9x120`, ""},
	{"AltinnEventsNotPublished", "FirstOnes", "altinn_events_published_total{altinn_outcome=\"accepted\"} 0+9x120\n" +
		`altinn_events_published_total{altinn_outcome="invalid"} _x20 1x100`, "20-34"},
	{"AltinnEventsNotPublished", "OneMore", `altinn_events_published_total{altinn_outcome="failed"} 1x59 2x60`, "0-14 60-88"},

	{"AltinnEventsRefused", "OtherErrors", "messaging_client_sent_messages_total 0+9x120\n" +
		`messaging_client_sent_messages_total{error_type="503"} _x20 1+1x100`, ""},
	{"AltinnEventsRefused", "FirstOnes", "messaging_client_sent_messages_total 0+9x120\n" +
		`messaging_client_sent_messages_total{error_type="401"} _x20 500x100`, "20-34"},
	{"AltinnEventsRefused", "GoesOn", `messaging_client_sent_messages_total{error_type="unauthorized"} _x20 1+1x100`, "20-120"},

	{"AltinnEventsRetries", "Half", "altinn_events_retried_total 0+5x120\n" +
		`messaging_client_sent_messages_total 0+10x120`, ""},
	{"AltinnEventsRetries", "More", "altinn_events_retried_total _x20 0+6x100\n" +
		"messaging_client_sent_messages_total 0+4x120\nmessaging_client_sent_messages_total{error_type=\"503\"} _x20 0+6x100", "46-120"},

	{"AltinnEventsBehind", "NoQueue", `altinn_events_queue_oldest_age_seconds _x120`, ""},
	{"AltinnEventsBehind", "InTime", `altinn_events_queue_oldest_age_seconds 900x120`, ""},
	{"AltinnEventsBehind", "ForAMoment", `altinn_events_queue_oldest_age_seconds 0x20 1000x4 0x90`, ""},
	{"AltinnEventsBehind", "OnOneOfTwo", "altinn_events_queue_oldest_age_seconds{instance=\"a\"} _x20 0+60x100\n" +
		`altinn_events_queue_oldest_age_seconds{instance="b"} 0x120`, "41-120"},

	{"AltinnEventsQueueUnreadable", "NoQueue", `altinn_events_queue_readable _x120`, ""},
	{"AltinnEventsQueueUnreadable", "Readable", `altinn_events_queue_readable 1x120`, ""},
	{"AltinnEventsQueueUnreadable", "ForAMoment", `altinn_events_queue_readable 1x20 0x4 1x90`, ""},
	{"AltinnEventsQueueUnreadable", "ByOneOfTwo", "altinn_events_queue_readable{instance=\"a\"} _x20 0x60 1x40\n" +
		`altinn_events_queue_readable{instance="b"} 1x120`, "25-80"},

	{"AltinnEventsQueueGrows", "Shrinks", `altinn_events_queue_depth{altinn_queue_state="pending"} 50000-9x120`, ""},
	{"AltinnEventsQueueGrows", "Grows", `altinn_events_queue_depth{altinn_queue_state="pending"} _x20 9001+100x100`, "45-120"},
	{"AltinnEventsQueueGrows", "ManyDelivered", `altinn_events_queue_depth{altinn_queue_state="delivered"} 9001+100x120`, ""},
	{"AltinnEventsQueueGrows", "TwoProcessesOfOneQueue", "altinn_events_queue_depth{altinn_queue_state=\"pending\",instance=\"a\"} 6000+1x120\n" +
		`altinn_events_queue_depth{altinn_queue_state="pending",instance="b"} 6000+1x120`, ""},
}

// Every alert fires when it should and is silent when it should, also where a series
// begins with what one has to know.
func TestAlerts(t *testing.T) {
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	rules := map[string]alert{}
	for _, rule := range readAlerts(t) {
		rules[rule.Alert] = rule
	}
	tested := map[string]bool{}
	for _, tc := range alertCases {
		t.Run(tc.alert+"/"+tc.name, func(t *testing.T) {
			series := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(tc.series, "\n", "\n  "))
			if fires := firing(t, engine, series, rules[tc.alert]); fires != tc.fires {
				t.Errorf("fires at minutes %q, want %q", fires, tc.fires)
			}
			tested[tc.alert] = tested[tc.alert] || tc.fires != ""
		})
	}
	for name := range rules {
		if !tested[name] {
			t.Errorf("no case lets %s fire", name)
		}
	}
}

// firing lists the minutes in which a rule fires, as "20-34".
func firing(t *testing.T, engine *promql.Engine, series storage.Queryable, rule alert) string {
	t.Helper()
	var periods []string
	const none = -1
	pending, from := none, none
	end := func(minute int) {
		if from != none {
			periods = append(periods, fmt.Sprintf("%d-%d", from, minute))
		}
		pending, from = none, none
	}
	for minute := range 121 {
		at := time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)
		if !holds(t, engine, series, rule.Expr, at) {
			end(minute - 1)
			continue
		}
		if pending == none {
			pending = minute
		}
		if from == none && time.Duration(minute-pending)*time.Minute >= time.Duration(rule.For) {
			from = minute
		}
	}
	end(120)
	return strings.Join(periods, " ")
}

// Panels that show one number for all processes show the right one.
func TestDashboard_Numbers(t *testing.T) {
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	for name, tc := range map[string]struct {
		panel, series string
		want          float64
	}{
		"FirstOnes":       {"Given up", `altinn_events_discarded_total _x20 500x100`, 500},
		"FromTwoKinds":    {"Given up", `altinn_events_discarded_total{error_type="400"} _x20 5x100` + "\n" + `altinn_events_discarded_total{error_type="413"} _x90 1x30`, 6},
		"ProcessIsGone":   {"Given up", `altinn_events_discarded_total _x20 5x30 stale`, 5},
		"BeforeTheRange":  {"Given up", `altinn_events_discarded_total 5x120`, 0},
		"SharedQueue":     {"Queue", `altinn_events_queue_depth{altinn_queue_state="pending",instance="a"} 7x120` + "\n" + `altinn_events_queue_depth{altinn_queue_state="pending",instance="b"} 7x120`, 7},
		"QueuesOfTwoJobs": {"Queue", `altinn_events_queue_depth{altinn_queue_state="pending",job="a"} 7x120` + "\n" + `altinn_events_queue_depth{altinn_queue_state="pending",job="b"} 8x120`, 15},
	} {
		t.Run(name, func(t *testing.T) {
			series := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(tc.series, "\n", "\n  "))
			for _, p := range readDashboard(t).Panels {
				if p.Title != tc.panel {
					continue
				}
				expr := strings.ReplaceAll(p.Targets[0].Expr, "$__range", "1h55m")
				if v := vector(t, engine, series, expr, time.Unix(0, 0).Add(2*time.Hour)); len(v) != 1 || v[0].F != tc.want {
					t.Errorf("%s shows %v, want %v", tc.panel, v, tc.want)
				}
			}
		})
	}
}

func holds(t *testing.T, engine *promql.Engine, series storage.Queryable, expr string, at time.Time) bool {
	t.Helper()
	return len(vector(t, engine, series, expr, at)) > 0
}

func vector(t *testing.T, engine *promql.Engine, series storage.Queryable, expr string, at time.Time) promql.Vector {
	t.Helper()
	query, err := engine.NewInstantQuery(context.WithoutCancel(t.Context()), series, nil, expr, at)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	v, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
