package credentials_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/testutil"
)

// setEnv sets variables, and every other one that FromEnv reads to nothing.
func setEnv(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{
		"ALTINN_ENVIRONMENT", "ALTINN_PLATFORM_URL", "ALTINN_SUBSCRIPTION_KEY", "ALTINN_PLATFORM_KEY_FILE", "ALTINN_PLATFORM_CERTIFICATE_FILE",
		"ALTINN_PLATFORM_KEY_PASSWORD", "ALTINN_PLATFORM_KEY_PASSWORD_FILE", "ALTINN_ORG", "ALTINN_APP", "MASKINPORTEN_CLIENT_ID",
		"MASKINPORTEN_SCOPES", "MASKINPORTEN_KEY_FILE", "MASKINPORTEN_CERTIFICATE_FILE", "MASKINPORTEN_KEY_PASSWORD",
		"MASKINPORTEN_KEY_PASSWORD_FILE", "MASKINPORTEN_KEY_ID", "MASKINPORTEN_CONSUMER_ORG",
	} {
		t.Setenv(name, set[name])
	}
}

func TestFromEnv(t *testing.T) { //nolint:paralleltest // it sets variables
	dir := t.TempDir()
	write(t, filepath.Join(dir, "platform.p12"), p12(firstKey(), "secret"))
	write(t, filepath.Join(dir, "password"), "secret\n")
	write(t, filepath.Join(dir, "client.json"), jwkOf(firstKey(), nil))
	setEnv(t, map[string]string{
		"ALTINN_ENVIRONMENT": "TT02", "ALTINN_SUBSCRIPTION_KEY": "sub", "ALTINN_PLATFORM_KEY_FILE": filepath.Join(dir, "platform.p12"),
		"ALTINN_PLATFORM_KEY_PASSWORD_FILE": filepath.Join(dir, "password"), "ALTINN_ORG": "ttd", "ALTINN_APP": "broker",
		"MASKINPORTEN_CLIENT_ID": "service", "MASKINPORTEN_SCOPES": "altinn:serviceowner altinn:events.publish",
		"MASKINPORTEN_KEY_FILE": filepath.Join(dir, "client.json"),
	})
	service := tokenService(t, testutil.TokenServiceConfig{})
	set, err := credentials.FromEnv(credentials.EnvOptions{Transport: service.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	if set.Environment != credentials.TT02() || set.SubscriptionKey != "sub" {
		t.Errorf("environment is %+v", set.Environment)
	}
	for _, source := range []altinn.AppTokenSource{set.PlatformAccessToken.(altinn.AppTokenSource), set.Bearer.(altinn.AppTokenSource)} {
		if token, err := source.TokenFor(t.Context(), "", ""); err != nil || token.AccessToken == "" {
			t.Errorf("%T: %v, %v", source, token, err)
		}
	}
}

// Without keys a local environment has tokens that a sink takes.
func TestFromEnv_Local(t *testing.T) { //nolint:paralleltest // it sets variables
	sink := testutil.NewSink(t)
	setEnv(t, map[string]string{"ALTINN_ENVIRONMENT": "local", "ALTINN_PLATFORM_URL": "http://127.0.0.1:5080"})
	set, err := credentials.FromEnv(credentials.EnvOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := altinn.NewClient(set.Environment.PlatformURL, altinn.Config{
		Credentials: altinn.Credentials{PlatformAccessToken: set.PlatformAccessToken, Bearer: set.Bearer}, Transport: sink.Transport(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := publishOne(t, client); err != nil || len(sink.Events()) != 1 {
		t.Errorf("Publish = %v, %d events", err, len(sink.Events()))
	}
}

// Every variable that is missing or wrong is named, and no secret shown.
func TestFromEnv_Faults(t *testing.T) { //nolint:paralleltest // it sets variables
	bad := filepath.Join(t.TempDir(), "bad.p12")
	write(t, bad, p12(firstKey(), "secret"))
	//nolint:paralleltest // they set variables
	for name, tt := range map[string]struct {
		set  map[string]string
		want []string
	}{
		"Nothing": {nil, []string{
			"ALTINN_ENVIRONMENT is missing", "ALTINN_PLATFORM_KEY_FILE is missing", "MASKINPORTEN_CLIENT_ID is missing",
			"MASKINPORTEN_SCOPES is missing", "MASKINPORTEN_KEY_FILE is missing",
		}},
		"Begun": {map[string]string{"ALTINN_ENVIRONMENT": "production", "ALTINN_ORG": "ttd", "MASKINPORTEN_CLIENT_ID": "x"}, []string{
			"ALTINN_PLATFORM_KEY_FILE is missing", "MASKINPORTEN_SCOPES is missing", "MASKINPORTEN_KEY_FILE is missing",
		}},
		"Values": {map[string]string{
			"ALTINN_ENVIRONMENT": "prod", "ALTINN_PLATFORM_KEY_FILE": bad, "ALTINN_PLATFORM_KEY_PASSWORD": "hunter2",
		}, []string{`ALTINN_ENVIRONMENT is "prod", want production, tt02`, "ALTINN_PLATFORM_KEY_FILE: ", "password of the PKCS #12 data is wrong"}},
		"Local": {map[string]string{"ALTINN_ENVIRONMENT": "local"}, []string{"ALTINN_PLATFORM_URL is missing"}},
		"Key": {map[string]string{
			"ALTINN_ENVIRONMENT": "at22", "MASKINPORTEN_CLIENT_ID": "x", "MASKINPORTEN_SCOPES": "a", "MASKINPORTEN_KEY_FILE": bad,
			"MASKINPORTEN_KEY_PASSWORD": "secret", "MASKINPORTEN_CONSUMER_ORG": "1",
		}, []string{"ConsumerOrg is not 9 digits"}},
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, tt.set)
			set, err := credentials.FromEnv(credentials.EnvOptions{})
			if set != nil {
				t.Error("there is a set")
			}
			wantError(t, err, append(tt.want, "credentials of the environment: ")...)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environment                 credentials.Environment
		platform, app, maskinporten string
	}{
		{credentials.Production(), "https://platform.altinn.no", "https://ttd.apps.altinn.no/ttd/a", "https://maskinporten.no/"},
		{credentials.TT02(), "https://platform.tt02.altinn.no", "https://ttd.apps.tt02.altinn.no/ttd/a", "https://test.maskinporten.no/"},
		{credentials.AT(22), "https://platform.at22.altinn.cloud", "https://ttd.apps.at22.altinn.cloud/ttd/a", "https://test.maskinporten.no/"},
		{credentials.Local("http://localhost:5080"), "http://localhost:5080", "https://ttd.apps.altinn.no/ttd/a", "http://localhost:5080"},
	} {
		e := tt.environment
		if e.PlatformURL != tt.platform || e.AppBaseURL("ttd", "a") != tt.app || e.MaskinportenURL != tt.maskinporten {
			t.Errorf("%s: %+v", e.Name, e)
		}
	}
}
