package publisher_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// answer is an error as a Sender returns it.
type answer struct {
	kind  error
	delay time.Duration
}

func (a answer) Error() string             { return "answer" }
func (a answer) Unwrap() error             { return a.kind }
func (a answer) RetryDelay() time.Duration { return a.delay }

func TestRetryPolicy_Decide(t *testing.T) {
	t.Parallel()
	var (
		published   = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		unavailable = fmt.Errorf("wrapped: %w", publisher.ErrUnavailable)
		week        = 7 * 24 * time.Hour
	)
	for _, tc := range []struct {
		name    string
		policy  publisher.RetryPolicy
		attempt int
		err     error
		age     time.Duration
		random  float64
		want    outbox.State
		pause   time.Duration
	}{
		{name: "Success", attempt: 1, want: outbox.Delivered},
		{name: "Rejected", attempt: 1, err: publisher.ErrRejected, want: outbox.Discard},
		{name: "FirstPauseIsUpToBase", attempt: 1, err: unavailable, random: 1, want: outbox.Retry, pause: time.Second},
		{name: "FullJitterBeginsAtZero", attempt: 9, err: unavailable, random: 0, want: outbox.Retry},
		{name: "Doubles", attempt: 4, err: unavailable, random: 0.5, want: outbox.Retry, pause: 4 * time.Second},
		{name: "LastDoublingBelowMax", attempt: 9, err: unavailable, random: 1, want: outbox.Retry, pause: 256 * time.Second},
		{name: "StaysAtMax", attempt: 10, err: unavailable, random: 1, want: outbox.Retry, pause: 5 * time.Minute},
		{name: "NeverOverflows", attempt: 1 << 30, err: unavailable, random: 1, want: outbox.Retry, pause: 5 * time.Minute},
		{name: "UnknownErrorIsRetried", attempt: 1, err: errors.New("?"), random: 1, want: outbox.Retry, pause: time.Second},
		{name: "UnauthorizedIsSlow", attempt: 1, err: publisher.ErrUnauthorized, random: 0, want: outbox.Retry, pause: 150 * time.Second},
		{name: "UnauthorizedStaysBelowMax", attempt: 1, err: publisher.ErrUnauthorized, random: 1, want: outbox.Retry, pause: 5 * time.Minute},
		{name: "RetryAfterWinsWhenLonger", attempt: 1, err: answer{publisher.ErrUnavailable, 7 * time.Minute}, random: 0, want: outbox.Retry, pause: 7 * time.Minute},
		{name: "RetryAfterWinsWhenShorter", attempt: 20, err: answer{publisher.ErrUnavailable, time.Second}, random: 1, want: outbox.Retry, pause: time.Second},
		{name: "RetryAfterIsCapped", attempt: 1, err: answer{publisher.ErrUnavailable, 48 * time.Hour}, want: outbox.Retry, pause: time.Hour},
		{name: "RetryAfterOfARejectionIsVain", attempt: 1, err: answer{publisher.ErrRejected, time.Second}, want: outbox.Discard},
		{name: "LastAttemptAtMaxAge", attempt: 50, err: unavailable, random: 1, age: week - time.Second, want: outbox.Retry, pause: time.Second},
		{name: "GivesUpAtMaxAge", attempt: 50, err: unavailable, age: week, want: outbox.Discard},
		{name: "UnauthorizedGivesUpAtMaxAge", attempt: 50, err: publisher.ErrUnauthorized, age: week, want: outbox.Discard},
		{name: "MaxAgeOff", policy: publisher.RetryPolicy{MaxAge: -1}, attempt: 50, err: unavailable, random: 1, age: 10 * week, want: outbox.Retry, pause: 5 * time.Minute},
		{name: "MaxAttempts", policy: publisher.RetryPolicy{MaxAttempts: 3}, attempt: 3, err: unavailable, want: outbox.Discard},
		{name: "BelowMaxAttempts", policy: publisher.RetryPolicy{MaxAttempts: 3}, attempt: 2, err: unavailable, random: 1, want: outbox.Retry, pause: 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			now := published.Add(tc.age)
			out := tc.policy.Decide(outbox.Item{Attempt: tc.attempt, PublishedAt: published}, tc.err, now, tc.random)
			if out.State != tc.want {
				t.Fatalf("State = %v, want %v", out.State, tc.want)
			}
			if out.State == outbox.Retry && out.RetryAt.Sub(now) != tc.pause {
				t.Errorf("pause = %v, want %v", out.RetryAt.Sub(now), tc.pause)
			}
			if (out.Reason == "") != (out.State == outbox.Delivered) {
				t.Errorf("Reason = %q for %v", out.Reason, out.State)
			}
		})
	}
}

func TestNew_NamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := publisher.New(nil, publisher.Config{
		TryTimeout: -1,
		Retry:      publisher.RetryPolicy{Base: -1, Max: -2, MaxRetryAfter: -1, MaxAge: -2, MaxAttempts: -2},
	})
	if err == nil {
		t.Fatal("New = nil error")
	}
	for _, want := range []string{"sender", "TryTimeout", "Base", "Max ", "MaxRetryAfter", "MaxAge", "MaxAttempts"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s:\n%v", want, err)
		}
	}
	if _, err = publisher.New(sendFunc(nil), publisher.Config{Retry: publisher.RetryPolicy{Base: time.Hour}}); err == nil {
		t.Error("a Base above the default Max passed")
	}
}
