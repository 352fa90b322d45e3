package testutil_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/altinn-go/events/testutil"
)

// TestAuth_Lifetimes sees how far off the clocks of both kinds of token may be.
func TestAuth_Lifetimes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind   testutil.TokenKind
		claims map[string]any // "exp" and "nbf" in seconds from now
		status int
	}{
		"UserValid":          {testutil.TokenUser, map[string]any{"exp": 1}, 201},
		"UserJustExpired":    {testutil.TokenUser, map[string]any{"exp": -1}, 401},
		"UserNotYet":         {testutil.TokenUser, map[string]any{"nbf": 1}, 401},
		"UserBadExpiry":      {testutil.TokenUser, map[string]any{"exp": "soon"}, 401},
		"PlatformLate":       {testutil.TokenPlatform, map[string]any{"exp": -9}, 201},
		"PlatformTooLate":    {testutil.TokenPlatform, map[string]any{"exp": -11}, 403},
		"PlatformEarly":      {testutil.TokenPlatform, map[string]any{"nbf": 9}, 201},
		"PlatformTooEarly":   {testutil.TokenPlatform, map[string]any{"nbf": 11}, 403},
		"PlatformNoExpiry":   {testutil.TokenPlatform, map[string]any{"exp": nil}, 403},
		"PlatformNumberedBy": {testutil.TokenPlatform, map[string]any{"iss": 7}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := testutil.NewSink(t)
				claims := map[string]any{"iss": "ttd", "urn:altinn:app": "apps-test"}
				for name, value := range tt.claims {
					if offset, ok := value.(int); ok && name != "iss" {
						value = time.Now().Unix() + int64(offset)
					}
					claims[name] = value
				}
				token, err := sink.Token(testutil.TokenSpec{Kind: tt.kind, Claims: claims})
				if err != nil {
					t.Fatal(err)
				}
				req := newPost(t.Context(), t, appBody)
				req.Header.Set("Authorization", mint(t, sink, testutil.TokenUser))
				req.Header.Set("PlatformAccessToken", mint(t, sink, testutil.TokenPlatform))
				if tt.kind == testutil.TokenUser {
					req.Header.Set("Authorization", "Bearer "+token)
				} else {
					req.Header.Set("PlatformAccessToken", token)
				}
				resp, err := sink.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != tt.status {
					t.Errorf("answer is %s, want %d", resp.Status, tt.status)
				}
			})
		})
	}
}

// TestAuth_SignatureIsNotChecked posts with a token whose signature is another's.
func TestAuth_SignatureIsNotChecked(t *testing.T) {
	t.Parallel()
	other, sink := testutil.NewSink(t), testutil.NewSink(t)
	req := newPost(t.Context(), t, appBody)
	req.Header.Set("Authorization", mint(t, other, testutil.TokenUser))
	req.Header.Set("PlatformAccessToken", mint(t, other, testutil.TokenPlatform))
	resp, err := sink.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("answer is %s", resp.Status)
	}
}

// A token that was taken for good before is looked at again: it may have expired.
func TestAuth_ExpiresBetweenRequests(t *testing.T) {
	t.Parallel()
	for _, mode := range []testutil.AuthMode{testutil.AuthDecode, testutil.AuthVerify} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: mode})
				token, err := sink.Token(testutil.TokenSpec{ExpiresIn: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				for _, status := range []int{http.StatusCreated, http.StatusCreated, http.StatusUnauthorized} {
					if status == http.StatusUnauthorized {
						time.Sleep(61 * time.Second)
					}
					req := newPost(t.Context(), t, appBody)
					req.Header.Set("Authorization", "Bearer "+token)
					req.Header.Set("PlatformAccessToken", mint(t, sink, testutil.TokenPlatform))
					resp, err := sink.Client().Do(req)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					if resp.StatusCode != status {
						t.Errorf("answer is %s, want %d", resp.Status, status)
					}
				}
			})
		})
	}
}
