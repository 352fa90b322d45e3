package testutil_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/testutil"
)

func TestSink_Token(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec testutil.TokenSpec
		want jwt.MapClaims
	}{
		"UserByDefault": {testutil.TokenSpec{}, jwt.MapClaims{
			"urn:altinn:org": "ttd", "scope": "altinn:events.publish altinn:events.subscribe",
			"iat": 0.0, "nbf": -5.0, "exp": 1800.0,
		}},
		"User": {testutil.TokenSpec{Kind: testutil.TokenUser, Claims: map[string]any{"urn:altinn:userid": 20000}}, jwt.MapClaims{
			"urn:altinn:userid": 20000.0, "iat": 0.0, "nbf": -5.0, "exp": 1800.0,
		}},
		"PlatformByDefault": {testutil.TokenSpec{Kind: testutil.TokenPlatform}, jwt.MapClaims{
			"iss": "ttd", "urn:altinn:app": "apps-test", "iat": 0.0, "nbf": -5.0, "exp": 300.0,
		}},
		"NoClaims": {testutil.TokenSpec{Kind: testutil.TokenPlatform, Claims: map[string]any{}}, jwt.MapClaims{
			"iat": 0.0, "nbf": -5.0, "exp": 300.0,
		}},
		"ExpiresIn": {testutil.TokenSpec{ExpiresIn: -time.Minute, Claims: map[string]any{"nbf": "mine"}}, jwt.MapClaims{
			"iat": 0.0, "nbf": "mine", "exp": -60.0,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				text, err := testutil.NewSink(t).Token(tt.spec)
				if err != nil {
					t.Fatal(err)
				}
				got := jwt.MapClaims{}
				token, _, err := jwt.NewParser().ParseUnverified(text, got)
				if err != nil || token.Method.Alg() != "ES256" {
					t.Fatalf("%v, %v", token, err)
				}
				for _, name := range []string{"iat", "nbf", "exp"} {
					if at, ok := got[name].(float64); ok {
						got[name] = at - float64(time.Now().Unix())
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("claims (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSink_TokenDoesNotChangeTheClaims(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"scope": "x"}
	if _, err := testutil.NewSink(t).Token(testutil.TokenSpec{Claims: claims}); err != nil || len(claims) != 1 {
		t.Errorf("%v, %v", claims, err)
	}
}

func TestSink_TokenErrors(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	for want, spec := range map[string]testutil.TokenSpec{
		`mint token: kind "admin", want "user" or "platform"`: {Kind: "admin"},
		"unsupported type: chan int":                          {Claims: map[string]any{"c": make(chan int)}},
	} {
		if token, err := sink.Token(spec); err == nil || !strings.Contains(err.Error(), want) || token != "" {
			t.Errorf("token %q, error %v; want %s", token, err, want)
		}
	}
}

func TestSink_Credentials(t *testing.T) {
	t.Parallel()
	platform := func(t *testing.T, sink *testutil.Sink, org, app string) string {
		t.Helper()
		source, ok := sink.Credentials().PlatformAccessToken.(altinn.AppTokenSource)
		if !ok {
			t.Fatal("the platform access tokens are not by app")
		}
		token, err := source.TokenFor(t.Context(), org, app)
		if err != nil || !token.Valid() {
			t.Fatalf("token for %s/%s: %v, %v", org, app, token, err)
		}
		return token.AccessToken
	}

	t.Run("NameTheApp", func(t *testing.T) {
		t.Parallel()
		sink := testutil.NewSink(t)
		for _, tt := range [][4]string{
			{"skd", "skjema", "skd", "skjema"},
			{"", "", "ttd", "apps-test"},
		} {
			claims := jwt.MapClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(platform(t, sink, tt[0], tt[1]), claims); err != nil {
				t.Fatal(err)
			}
			if claims["iss"] != tt[2] || claims["urn:altinn:app"] != tt[3] {
				t.Errorf("token for %s/%s has %v", tt[0], tt[1], claims)
			}
		}
		token, err := sink.Credentials().PlatformAccessToken.Token()
		if err != nil || token.AccessToken != platform(t, sink, "ttd", "apps-test") && token.AccessToken != platform(t, sink, "", "") {
			t.Errorf("Token returns %v, %v; want that of ttd/apps-test", token, err)
		}
	})

	t.Run("AreKeptPerApp", func(t *testing.T) {
		t.Parallel()
		sink := testutil.NewSink(t)
		first := platform(t, sink, "ttd", "a")
		if platform(t, sink, "ttd", "a") != first || platform(t, sink, "ttd", "b") == first {
			t.Error("want one token per app")
		}
		for i := range testutil.MaxCachedTokens + 10 {
			platform(t, sink, "ttd", strings.Repeat("x", i+1))
		}
		if n := sink.CachedTokens(); n > testutil.MaxCachedTokens {
			t.Errorf("%d tokens kept, want %d at most", n, testutil.MaxCachedTokens)
		}
	})
}

func TestSink_CredentialsAreRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := testutil.NewSink(t)
		pub := sink.Publisher(t)
		for range 20 {
			if err := pub.Publish(t.Context(), instanceCreated()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(7 * time.Minute)
		}
		tokens := map[string]bool{}
		for _, r := range sink.Received() {
			tokens[r.Header.Get("PlatformAccessToken")] = true
		}
		if len(tokens) != 20 {
			t.Errorf("%d platform access tokens in 20 times 7 minutes, want 20", len(tokens))
		}
	})
}
