package models

// IsOrganisationNumber reports whether s is an organisation number of 9 digits
// whose last one is its check digit.
func IsOrganisationNumber(s string) bool {
	return SubjectOrganisation.hasDigits(s) && remainder11(s, "327654321") == 0
}

// IsPersonNumber reports whether s is a national identity number: 11 digits
// that begin with a date and end with two check digits. It takes D-numbers
// (day + 40), synthetic numbers (month + 40 or + 80) and, beside the rule of
// today's numbers, that of numbers assigned from 2032, which leaves the first
// check digit more room.
//
// Source: skatteetaten.no/en/deling/opplysninger/folkeregisteropplysninger/pid
// (2026-11).
func IsPersonNumber(s string) bool {
	return SubjectPerson.hasDigits(s) && hasDate(s) &&
		remainder11(s, "3761894521") <= 3 && remainder11(s, "54327654321") == 0
}

// remainder11 returns the sum of digits × weights, modulo 11.
func remainder11(digits, weights string) int {
	sum := 0
	for i := range len(weights) {
		sum += int(digits[i]-'0') * int(weights[i]-'0')
	}
	return sum % 11
}

// hasDate reports whether a national identity number begins with a date,
// ddmmyy, in any century.
func hasDate(s string) bool {
	number := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	day, month, year := number(0), number(2), number(4)
	if day > 40 {
		day -= 40
	}
	switch {
	case month > 80:
		month -= 80
	case month > 40:
		month -= 40
	}
	if month < 1 || month > 12 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 {
		days = 29
	}
	return 1 <= day && day <= days
}
