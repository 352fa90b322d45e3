package testutil

import (
	"encoding/json"

	"github.com/golang-jwt/jwt/v5"
)

const (
	claimOrgNumber = "urn:altinn:orgNumber"
	claimUserID    = "urn:altinn:userid"
	claimDetails   = "authorization_details"
)

// consumerOf returns the caller's identity as subscriptions and policies write it:
// "/org/ttd", "/user/20001", "/systemuser/{uuid}" or "/organisation/974760673", the
// first that the token has, or "".
//
// Source: Altinn/altinn-events, ClaimsPrincipalExtensions.cs (2026-08).
func consumerOf(claims jwt.MapClaims) string {
	if org := claimText(claims, claimOrg); org != "" {
		return "/org/" + org
	}
	if user := claimText(claims, claimUserID); user != "" {
		return "/user/" + user
	}
	if system := systemUserOf(claims[claimDetails]); system != "" {
		return "/systemuser/" + system
	}
	if organisation := claimText(claims, claimOrgNumber); organisation != "" {
		return "/organisation/" + organisation
	}
	return ""
}

// systemUserOf returns the first id of authorization_details: an object, an array
// of one, or either as a JSON string.
func systemUserOf(details any) string {
	switch v := details.(type) {
	case string:
		var decoded any
		if json.Unmarshal([]byte(v), &decoded) != nil {
			return ""
		}
		if _, text := decoded.(string); text {
			return ""
		}
		return systemUserOf(decoded)
	case []any:
		if len(v) == 0 {
			return ""
		}
		return systemUserOf(v[0])
	case map[string]any:
		ids, _ := v["systemuser_id"].([]any)
		if len(ids) == 0 {
			return ""
		}
		id, _ := ids[0].(string)
		return id
	default:
		return ""
	}
}
