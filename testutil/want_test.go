package testutil_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/testutil"
)

func TestWant_MatchesByEachField(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	mustPost(t, sink, "/app", appBody)
	mustPost(t, sink, "/events", brokerBody)
	app := sink.Events()[0]
	for name, want := range map[string]testutil.Want{
		"ID":                 {ID: app.ID()},
		"Type":               {Type: "app.instance.created"},
		"Source":             {Source: instanceSource},
		"Subject":            {Subject: "/party/50019855"},
		"AlternativeSubject": {AlternativeSubject: "/person/01017512345"},
		"Resource":           {Resource: "urn:altinn:resource:app_ttd_apps-test"},
		"ResourceInstance":   {ResourceInstance: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"},
		"Match": {Match: func(ev event.Event) error {
			if ev.Type() != "app.instance.created" {
				return errors.New("other type")
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sink.Require(t, want); got.ID() != app.ID() {
				t.Errorf("matched %v", got)
			}
			// With one more demand that it does not meet, it matches no more.
			want.Match = func(event.Event) error { return errors.New("never") }
			if tb := record(t, func(tb *recordingTB) { sink.Require(tb, want) }); !tb.ended {
				t.Error("an event matches in spite of Match")
			}
		})
	}
}

func TestWant_MatchCannotChangeTheEvent(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	mustPost(t, sink, "/events", brokerBody)
	sink.Require(t, testutil.Want{Match: func(ev event.Event) error {
		ev.SetSubject("changed")
		return nil
	}})
	sink.Require(t, testutil.Want{Subject: "/party/50015641"})
}

func TestWant_NearestMissFirst(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	for _, event := range [][2]string{
		{"two", `"resourceinstance":"x","subject"`},
		{"one", `"subject"`},
		{"newer", `"subject"`},
		{"prefix", `"resourceinstance":"wanted-but","subject"`},
	} {
		postEvent(t, sink, event[0], `"subject"`, event[1])
	}
	tb := record(t, func(tb *recordingTB) {
		sink.Require(tb, testutil.Want{
			ID: "two", Type: "no.altinn.broker.published", ResourceInstance: "wanted",
		})
	})
	var shown []string
	for line := range strings.Lines(tb.failure) {
		if nr, _, ok := strings.Cut(line, " POST"); ok {
			shown = append(shown, nr)
		}
	}
	// Most demands met, then the longest common beginning, then the newest.
	if got := strings.Join(shown, " "); got != "#1 #4 #3" {
		t.Errorf("shown are %s, want #1 #4 #3:\n%s", got, tb.failure)
	}
}
