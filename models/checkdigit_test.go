package models_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/altinn-go/events/models"
)

func TestIsPersonNumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"16035001577":  true,
		"01014922047":  true,
		"08895699684":  true, // month + 80
		"02056241046":  true,
		"18874198354":  true,
		"29865197932":  true,
		"01017512345":  false,
		"16069412345":  false,
		"01038712345":  false,
		"01039012345":  false,
		"14029112345":  false,
		"12345678901":  false,
		"16035001578":  false,
		"16035001567":  false,
		"1603500157":   false,
		"160350015770": false,
		"1603500157x":  false,
		"":             false,
	} {
		if got := models.IsPersonNumber(number); got != want {
			t.Errorf("number that begins %.2s… is %t, want %t", number, got, want)
		}
	}
}

// Every day and month of leap years and of others, with check digits that are
// computed here.
func TestIsPersonNumber_Dates(t *testing.T) {
	t.Parallel()
	isDate := func(day, month, year int) bool {
		if day > 40 {
			day -= 40
		}
		if month > 80 {
			month -= 80
		} else if month > 40 {
			month -= 40
		}
		d := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		return d.Day() == day && d.Month() == time.Month(month)
	}
	for _, year := range []int{1951, 1952, 1954, 2000} {
		for day := range 100 {
			for month := range 100 {
				date := fmt.Sprintf("%02d%02d%02d", day, month, year%100)
				number, ok := "", false
				for individual := 0; !ok; individual++ {
					number, ok = withCheckDigits(fmt.Sprintf("%s%03d", date, individual), 0)
				}
				if got, want := models.IsPersonNumber(number), isDate(day, month, year); got != want {
					t.Fatalf("a number of the date %s is %t, want %t", date, got, want)
				}
			}
		}
	}
}

func TestIsPersonNumber_FirstCheckFrom2032(t *testing.T) {
	t.Parallel()
	for remainder := range 11 {
		tried := 0
		for _, individual := range []string{"000", "001", "002", "003", "004"} {
			number, ok := withCheckDigits("168350"+individual, remainder)
			if !ok {
				continue
			}
			tried++
			if got, want := models.IsPersonNumber(number), remainder <= 3; got != want {
				t.Errorf("remainder %d is %t, want %t", remainder, got, want)
			}
		}
		if tried == 0 {
			t.Errorf("no number to try for remainder %d", remainder)
		}
	}
}

// withCheckDigits adds the check digits to nine digits: the first leaves the
// given remainder, the second none. It is not ok if one would have two digits.
func withCheckDigits(nine string, remainder int) (string, bool) {
	add := func(digits string, weights []int, remainder int) (string, bool) {
		for check := range 10 {
			sum := check
			for i, w := range weights {
				sum += int(digits[i]-'0') * w
			}
			if sum%11 == remainder {
				return digits + string(rune('0'+check)), true
			}
		}
		return "", false
	}
	ten, ok := add(nine, []int{3, 7, 6, 1, 8, 9, 4, 5, 2}, remainder)
	if !ok {
		return "", false
	}
	return add(ten, []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2}, 0)
}

func TestIsOrganisationNumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"989271156":  true,
		"991825827":  true,
		"312508729":  true,
		"311443755":  true,
		"950474084":  true,
		"974760673":  true,
		"897069650":  false,
		"897069631":  false,
		"987654321":  false,
		"986252933":  false,
		"987564321":  false,
		"123456789":  false,
		"98927115":   false,
		"9892711560": false,
		"98927115x":  false,
		"":           false,
	} {
		if got := models.IsOrganisationNumber(number); got != want {
			t.Errorf("%s is %t, want %t", number, got, want)
		}
	}
}
