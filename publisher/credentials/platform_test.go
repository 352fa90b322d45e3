package credentials_test

import (
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/credentials"
)

func newPlatform(tb testing.TB, keys credentials.KeySource, cfg credentials.PlatformConfig) *credentials.Platform {
	tb.Helper()
	p, err := credentials.NewPlatform(keys, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// Claim by claim as the generator of the platform writes them.
func TestPlatform_Token(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t, newKey(t), credentials.PlatformConfig{})
		token, err := p.TokenFor(t.Context(), "ttd", "apps-test")
		if err != nil {
			t.Fatal(err)
		}
		header, claims := parse(t, token.AccessToken, firstKey().Public())
		now := float64(time.Now().Unix())
		if diff := cmp.Diff(map[string]any{
			"iss": "ttd", "urn:altinn:app": "apps-test", "aud": "platform.altinn.no", "nbf": now - 5, "exp": now + 300, "iat": now,
		}, map[string]any(claims)); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		x5t, err := base64.RawURLEncoding.DecodeString(fmt.Sprint(header["x5t"]))
		if err != nil || header["alg"] != "RS256" || header["typ"] != "JWT" || len(x5t) != 20 || header["kid"] != fmt.Sprintf("%X", x5t) {
			t.Errorf("header is %v, %v", header, err)
		}
		if !token.Expiry.Equal(time.Now().Add(300 * time.Second)) {
			t.Errorf("Expiry is %v", token.Expiry)
		}
	})
}

func TestPlatform_Apps(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	open, own := newPlatform(t, newKey(t), credentials.PlatformConfig{}), newPlatform(t, newKey(t), credentials.PlatformConfig{Org: "ttd", App: "broker"})
	for _, tt := range []struct {
		source           *credentials.Platform
		org, app         string
		wantOrg, wantApp string
		fault            string
	}{
		{open, "ttd", "a", "ttd", "a", ""},
		{open, "skd", "b", "skd", "b", ""},
		{open, "", "", "", "", "PlatformConfig.App"},
		{open, "ttd", "a b", "", "", "names no app"},
		{own, "ttd", "a", "ttd", "a", ""},
		{own, "", "", "ttd", "broker", ""},
		{own, "skd", "a", "", "", "of an app of skd, and the key of ttd"},
	} {
		token, err := tt.source.TokenFor(ctx, tt.org, tt.app)
		if tt.fault != "" {
			wantError(t, err, tt.fault)
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if _, claims := parse(t, token.AccessToken, firstKey().Public()); claims["iss"] != tt.wantOrg || claims["urn:altinn:app"] != tt.wantApp {
			t.Errorf("%s/%s: claims are %v", tt.org, tt.app, claims)
		}
	}
	if token, err := own.Token(); err != nil || token.AccessToken == "" {
		t.Errorf("Token = %v, %v", token, err)
	}
}

// 64 goroutines and 10,000 uses over three lives: one signature per life, however
// slow the vault is, and no token that has expired.
func TestPlatform_SignsOncePerLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signer := &vault{key: firstKey()}
		key, err := credentials.NewKey(signer, certificate(firstKey()))
		if err != nil {
			t.Fatal(err)
		}
		p := newPlatform(t, key, credentials.PlatformConfig{})
		const goroutines, uses = 64, 10_000
		var mu sync.Mutex
		tokens := map[string]int{}
		var running sync.WaitGroup
		for range goroutines {
			running.Go(func() {
				for range uses / goroutines {
					token, err := p.TokenFor(t.Context(), "ttd", "apps-test")
					if err != nil || !time.Now().Before(token.Expiry) {
						t.Errorf("token is %v, %v", token, err)
						return
					}
					mu.Lock()
					tokens[token.AccessToken]++
					mu.Unlock()
					time.Sleep(3 * 300 * time.Second / (uses / goroutines))
				}
			})
		}
		running.Wait()
		if n := signer.signatures.Load(); int(n) != len(tokens) || n < 3 || n > 4 {
			t.Errorf("%d signatures for %d tokens over three lives of 300 s, of which each is renewed when 30 to 45 s are left; want 4", n, len(tokens))
		}
	})
}

func TestPlatform_Invalidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t, newKey(t), credentials.PlatformConfig{})
		first, err := p.TokenFor(t.Context(), "ttd", "a")
		if err != nil {
			t.Fatal(err)
		}
		other, err := p.TokenFor(t.Context(), "ttd", "b")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p.Invalidate(first)
		second, err := p.TokenFor(t.Context(), "ttd", "a")
		if err != nil || second.AccessToken == first.AccessToken {
			t.Errorf("after Invalidate: the same token, %v", err)
		}
		p.Invalidate(first) // is not the one that is kept
		if again, err := p.TokenFor(t.Context(), "ttd", "a"); err != nil || again != second {
			t.Errorf("after Invalidate of an older token: another one, %v", err)
		}
		if again, err := p.TokenFor(t.Context(), "ttd", "b"); err != nil || again != other {
			t.Errorf("another app's token went too, %v", err)
		}
	})
}

// The certificate runs out while the program runs: tokens that are there serve to
// their end, and then the error says why there are no more.
func TestPlatform_CertificateRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, err := credentials.NewKey(firstKey(), certificateUntil(firstKey(), time.Now().Add(10*time.Minute)))
		if err != nil {
			t.Fatal(err)
		}
		p := newPlatform(t, key, credentials.PlatformConfig{})
		for time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) < 10*time.Minute {
			if _, err := p.TokenFor(t.Context(), "ttd", "a"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(6 * time.Minute)
		_, err = p.TokenFor(t.Context(), "ttd", "a")
		wantError(t, err, "platform: no token", "expired on 2000-01-01")
	})
}

func TestPlatform_CachedReadAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	p := newPlatform(t, newKey(t), credentials.PlatformConfig{})
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := p.TokenFor(ctx, "ttd", "apps-test"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// A cached read against a signature.
func BenchmarkPlatform(b *testing.B) {
	p := newPlatform(b, newKey(b), credentials.PlatformConfig{})
	b.Run("Cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.TokenFor(b.Context(), "ttd", "apps-test"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Signed", func(b *testing.B) {
		b.ReportAllocs()
		var token *oauth2.Token
		for b.Loop() {
			p.Invalidate(token)
			var err error
			if token, err = p.TokenFor(b.Context(), "ttd", "apps-test"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
