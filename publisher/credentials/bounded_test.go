package credentials_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
)

func TestBounded_KeepsWhatTakesAContext(t *testing.T) {
	t.Parallel()
	if got := credentials.Bounded(nil); got != nil {
		t.Errorf("Bounded(nil) = %v, want nil", got)
	}
	for _, source := range []oauth2.TokenSource{&fallback{}, credentials.Static("x"), credentials.Bounded(tokenFunc(nil))} {
		if got := credentials.Bounded(source); got != source {
			t.Errorf("Bounded(%T) = %T, want it as it is", source, got)
		}
	}
}

// slow is a token source that numbers its calls and waits in each.
type slow struct {
	calls    atomic.Int64
	release  chan struct{}
	invalids []string
}

func (s *slow) Token() (*oauth2.Token, error) {
	n := s.calls.Add(1)
	<-s.release
	return &oauth2.Token{AccessToken: strconv.FormatInt(n, 10)}, nil
}

func (s *slow) Invalidate(token *oauth2.Token) { s.invalids = append(s.invalids, token.AccessToken) }

func TestBounded_SharesACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &slow{release: make(chan struct{})}
		bounded := credentials.Bounded(source).(altinn.AppTokenSource)
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go func() {
				if token, err := bounded.TokenFor(ctx, "", ""); token != nil || !errors.Is(err, context.Canceled) {
					t.Errorf("TokenFor = %v, %v, want context.Canceled", token, err)
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		for range 3 {
			go func() {
				if token, err := bounded.TokenFor(t.Context(), "", ""); err != nil || token.AccessToken != "1" {
					t.Errorf("TokenFor = %v, %v, want the token of the first call", token, err)
				}
			}()
		}
		synctest.Wait()
		if got := source.calls.Load(); got != 1 {
			t.Errorf("%d calls of Token, want 1", got)
		}
		close(source.release)
		synctest.Wait()
		if got := source.calls.Load(); got != 1 {
			t.Errorf("%d calls of Token, want 1", got)
		}
	})
}

// A call that began before a token was refused may return that very token.
func TestBounded_AsksAgainAfterInvalidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &slow{release: make(chan struct{}, 1)}
		bounded := credentials.Bounded(source)
		source.release <- struct{}{}
		refused, err := bounded.Token()
		if err != nil {
			t.Fatalf("Token: %v", err)
		}
		want := func(text string) {
			if token, err := bounded.Token(); err != nil || token.AccessToken != text {
				t.Errorf("Token = %v, %v, want %s", token, err, text)
			}
		}
		go want("2")
		synctest.Wait()
		bounded.(altinn.Invalidator).Invalidate(&oauth2.Token{AccessToken: "another's"})
		bounded.(altinn.Invalidator).Invalidate(refused)
		go want("3")
		synctest.Wait()
		if len(source.invalids) != 0 || source.calls.Load() != 2 {
			t.Errorf("told of %v in call %d, want nothing before the next call", source.invalids, source.calls.Load())
		}
		source.release <- struct{}{}
		source.release <- struct{}{}
		synctest.Wait()
		if diff := cmp.Diff([]string{"1"}, source.invalids); diff != "" {
			t.Errorf("told of (-want +got):\n%s", diff)
		}
	})
}

func TestBounded_PanicsInItsCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := recover(); got != "no key" {
			t.Errorf("recovered %v, want the source's panic", got)
		}
	}()
	_, _ = credentials.Bounded(tokenFunc(func() (*oauth2.Token, error) { panic("no key") })).Token()
}
