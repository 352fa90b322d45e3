package testutil_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

func TestReport_Missing(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	mustPost(t, sink, "/app", appBody)
	postEvent(t, sink, "b")
	tb := record(t, func(tb *recordingTB) {
		sink.Require(tb, testutil.Want{
			Type:               "app.instance.created",
			Source:             instanceSource,
			Subject:            "/party/50019856",
			AlternativeSubject: "/person/16069412345",
			Match:              func(event.Event) error { return errors.New("not for 16069412345") },
		})
	})
	want := `No event matches:
    type: "app.instance.created"
    source: "` + instanceSource + `"
    subject: "/party/50019856"
    alternativesubject: "/person/***********"
    Match: nil
The sink has 2 events.

#1 POST /app meets 2 of 5 (-want +got):
    type: "app.instance.created"
    source: "` + instanceSource + `"
  - subject: "/party/50019856"
  + subject: "/party/50019855"
  ! alternativesubject: "/person/***********" (differs in the masked digits)
  ! Match: not for ***********

#2 POST /events meets 0 of 5 (-want +got):
  - type: "app.instance.created"
  + type: "no.altinn.broker.published"
  - source: "` + instanceSource + `"
  + source: "https://platform.tt02.altinn.no/broker/api/v1/filetransfer"
  - subject: "/party/50019856"
  + subject: "/party/50015641"
  - alternativesubject: "/person/***********"
  + alternativesubject: ""
  ! Match: not for ***********`
	if diff := cmp.Diff(want, tb.failure); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestReport_NoEvents(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	tb := record(t, func(tb *recordingTB) { sink.Require(tb, testutil.Want{}) })
	if want := "No event matches:\n    any event\nThe sink has no events."; tb.failure != want {
		t.Errorf("report is %q, want %q", tb.failure, want)
	}
}

func TestReport_Ambiguous(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	mustPost(t, sink, "/app", appBody)
	for i := range 4 {
		postEvent(t, sink, strconv.Itoa(i))
	}
	tb := record(t, func(tb *recordingTB) { sink.Require(tb, testutil.Want{}) })
	want := `5 events match, want exactly one:
    any event

#1 POST /app:
    id: "` + sink.Events()[0].ID() + `"
    type: "app.instance.created"
    source: "` + instanceSource + `"
    subject: "/party/50019855"
    alternativesubject: "/person/***********"
    resource: "urn:altinn:resource:app_ttd_apps-test"
    resourceinstance: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"

#2 POST /events:
    id: "0"
    type: "no.altinn.broker.published"
    source: "https://platform.tt02.altinn.no/broker/api/v1/filetransfer"
    subject: "/party/50015641"
    resource: "urn:altinn:resource:altinn-broker-test-resource-1"

#3 POST /events:
    id: "1"
    type: "no.altinn.broker.published"
    source: "https://platform.tt02.altinn.no/broker/api/v1/filetransfer"
    subject: "/party/50015641"
    resource: "urn:altinn:resource:altinn-broker-test-resource-1"

and 2 more`
	if diff := cmp.Diff(want, tb.failure); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestReport_Unwanted(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postEvent(t, sink, "da4ceacc-ad44-4e54-99b6-123456789012", "/party/50015641", "/user/ola",
		`"subject"`, `"resourceinstance":"123456789/da4ceacc-ad44-4e54-99b6-123456789012/123456789","subject"`)
	tb := record(t, func(tb *recordingTB) {
		sink.RequireNone(tb, testutil.Want{Type: "no.altinn.broker.published"}, time.Hour)
	})
	want := `An event matches, want none:
    type: "no.altinn.broker.published"

#1 POST /events:
    id: "da4ceacc-ad44-4e54-99b6-123456789012"
    type: "no.altinn.broker.published"
    source: "https://platform.tt02.altinn.no/broker/api/v1/filetransfer"
    subject: "/user/***"
    resource: "urn:altinn:resource:altinn-broker-test-resource-1"
    resourceinstance: "*********/da4ceacc-ad44-4e54-99b6-123456789012/*********"`
	if diff := cmp.Diff(want, tb.failure); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestReport_RequestsWithoutSuccess(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{MaxEvents: 1})
	ctx, hangUp := context.WithCancel(t.Context())
	user, platform := mint(t, sink, testutil.TokenUser), mint(t, sink, testutil.TokenPlatform)
	send := func(body, platform string) {
		req := newPost(ctx, t, body)
		req.Header.Set("Authorization", user)
		req.Header.Set("PlatformAccessToken", platform)
		if resp, err := sink.Client().Do(req); err == nil {
			resp.Body.Close()
		}
	}
	send(appBody, platform)
	send(appBody, platform)
	send(appBody, "none")
	send(strings.Replace(appBody, "/ttd/apps-test/instances", "/skd/01017512345/instances", 1), platform)
	for _, fault := range []testutil.Fault{{Status: 502}, {Truncate: true, Status: 503}, {Reset: true}} {
		lift := sink.Inject(fault)
		send(appBody, platform)
		lift()
	}
	sink.Intercept(func(testutil.Request) testutil.Reply {
		hangUp()
		return testutil.Reply{Hang: true}
	})
	send(appBody, platform)

	tb := record(t, func(tb *recordingTB) { sink.Require(tb, testutil.Want{Subject: "/party/1"}) })
	want := `No event matches:
    subject: "/party/1"
The sink has 1 event.

#2 POST /app meets 0 of 1 (-want +got):
  - subject: "/party/1"
  + subject: "/party/50019855"

Requests without success, 6, the last:
    POST /app 401: ttd/apps-test is not authorized to create events for https://ttd.apps.altinn.no/skd/***********/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd
    POST /app 502: a fault set on the sink
    POST /app 503: answer truncated by a fault
    POST /app: connection reset by a fault
    POST /app: the client hung up before the answer

The oldest requests, 1, were dropped: see SinkConfig.MaxEvents.`
	if diff := cmp.Diff(want, tb.failure); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// TestReport_ReasonsOfRefusals sees that a test author is told why, which the
// service does not say.
func TestReport_ReasonsOfRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		headers []string
		want    string
	}{
		"NoUserToken": {nil, "POST /app 401: user token: there is none"},
		"Malformed":   {[]string{"Authorization", "Bearer x"}, "POST /app 401: user token: token is malformed"},
		"Expired": {
			[]string{"Authorization", "{user expired}"},
			"POST /app 401: user token: token is expired",
		},
		"NoPlatformToken": {
			[]string{"Authorization", "{user}"},
			"POST /app 403: platform access token: want 1 header, got 0",
		},
		"NoIssuer": {
			[]string{"Authorization", "{user}", "PlatformAccessToken", "{platform anonymous}"},
			"POST /app 403: platform access token: no issuer",
		},
		"MediaType": {
			[]string{"Authorization", "{user}", "PlatformAccessToken", "{platform}", "Content-Type", "text/plain"},
			`POST /app 415: content type "text/plain", want application/json`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := testutil.NewSink(t)
			req := newPost(t.Context(), t, appBody)
			for i := 0; i < len(tt.headers); i += 2 {
				value := expand(t, sink, tt.headers[i+1])
				if strings.HasPrefix(tt.headers[i+1], "{user") {
					value = "Bearer " + value
				}
				req.Header.Set(tt.headers[i], value)
			}
			resp, err := sink.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			tb := record(t, func(tb *recordingTB) { sink.Require(tb, testutil.Want{}) })
			if _, reasons, _ := strings.Cut(tb.failure, "Requests without success, 1, the last:\n    "); reasons != tt.want {
				t.Errorf("reason is %q, want %q", reasons, tt.want)
			}
		})
	}
}

func TestReport_Unmask(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, Unmask: true})
	mustPost(t, sink, "/app", appBody)
	tb := record(t, func(tb *recordingTB) {
		sink.Require(tb, testutil.Want{
			AlternativeSubject: "/person/16069412345",
			Match:              func(event.Event) error { return errors.New("not for 16069412345") },
		})
	})
	want := `#1 POST /app meets 0 of 2 (-want +got):
  - alternativesubject: "/person/16069412345"
  + alternativesubject: "/person/01017512345"
  ! Match: not for 16069412345`
	if !strings.HasSuffix(tb.failure, want) {
		t.Errorf("report is\n%s\nwant at its end\n%s", tb.failure, want)
	}
}

// TestReport_HoldsNoIdentityNumber puts identity numbers wherever one can be.
func TestReport_HoldsNoIdentityNumber(t *testing.T) {
	t.Parallel()
	const number = "01017512345"
	sink := openSink(t)
	for range 2 {
		mustPost(t, sink, "/app", `{"specversion":"1.0","type":"t.01017512345","source":"https://ttd.apps.altinn.no/ttd/01017512345/a/01017512345/01017512345",`+
			`"subject":"01017512345","alternativesubject":"/person/01017512345"}`)
	}
	postEvent(t, sink, number, `"subject"`, `"resourceinstance":"01017512345","subject"`)
	_, _, _ = post(t.Context(), sink.Client(), "http://sink", "/app", `{"type": "`+number+`"}`)
	_, _, _ = post(t.Context(), sink.Client(), "http://sink", "/events", `{"specversion": "`+number+`"}`)
	match := func(event.Event) error { return errors.New(number) }
	for name, assertion := range map[string]func(*recordingTB){
		"Require": func(tb *recordingTB) {
			sink.Require(tb, testutil.Want{
				ID: number + "x", Type: number, Source: number, Subject: number, AlternativeSubject: number,
				Resource: number, ResourceInstance: number, Match: match,
			})
		},
		"Ambiguous":   func(tb *recordingTB) { sink.Require(tb, testutil.Want{}) },
		"RequireNone": func(tb *recordingTB) { sink.RequireNone(tb, testutil.Want{Subject: number}, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := record(t, assertion)
			if !tb.ended || strings.Contains(tb.failure, number) {
				t.Errorf("report is %s", tb.failure)
			}
		})
	}
}
