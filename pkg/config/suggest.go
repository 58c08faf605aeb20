package config

import (
	"slices"
	"strings"
)

// nearest is the word that somebody who wrote s may have meant, "" where none is near.
func nearest(s string, words []string) string {
	best, distance := "", max(1, len(s)/3)+1
	folded := strings.ToLower(s)
	for _, w := range words {
		if d := editDistance(folded, strings.ToLower(w), distance); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// didYouMean is a sentence for a hint, "" where nothing is near.
func didYouMean(s string, words []string) string {
	if w := nearest(s, words); w != "" {
		return "did you mean " + w + "?"
	}
	return ""
}

// editDistance counts insertions, deletions, substitutions and swaps of neighbours (the
// optimal string alignment distance); it gives up at limit.
func editDistance(a, b string, limit int) int {
	if diff := len(a) - len(b); diff >= limit || -diff >= limit {
		return limit
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
		if slices.Min(row) >= limit {
			return limit
		}
	}
	return last[len(b)]
}

// oneOf lists words for people: "a, b or c".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
