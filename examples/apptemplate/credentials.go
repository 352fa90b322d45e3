package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/publisher/altinn"
)

// developmentCredentials makes tokens that a local Altinn Events takes: of the
// right form, signed with a key that nobody knows. In the cloud the first is a
// platform access token and the second the user's own or a service's.
func developmentCredentials() altinn.Credentials {
	key := []byte(rand.Text())
	return altinn.Credentials{
		PlatformAccessToken: developmentToken{key},
		Bearer:              oauth2.ReuseTokenSource(nil, developmentToken{key}),
	}
}

type developmentToken struct{ key []byte }

// Token makes a user's token.
func (t developmentToken) Token() (*oauth2.Token, error) {
	return t.sign(jwt.MapClaims{"urn:altinn:userid": 1337, "urn:altinn:authlevel": 3})
}

// TokenFor makes the token of an app, as altinn.AppTokenSource.
func (t developmentToken) TokenFor(_ context.Context, org, app string) (*oauth2.Token, error) {
	return t.sign(jwt.MapClaims{"iss": org, "urn:altinn:app": app})
}

func (t developmentToken) sign(claims jwt.MapClaims) (*oauth2.Token, error) {
	expiry := time.Now().Add(5 * time.Minute)
	claims["exp"] = expiry.Unix()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(t.key)
	return &oauth2.Token{AccessToken: text, Expiry: expiry}, err
}
