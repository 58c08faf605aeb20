//go:build linux

package bench

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// column is one measure.
type column struct {
	title  string
	of     func(figures) float64 // NaN: not measured
	text   func(float64) string
	spread bool // show the least and the most as well
	ratio  bool // show sendctl's median divided by the row's
}

func rateColumn() column {
	return column{title: "messages/s", of: figures.rate, text: grouped, spread: true}
}

func timesColumn() column {
	return column{title: "sendctl is", of: figures.rate, ratio: true, text: func(v float64) string { return short(v) + " x" }}
}

func wallColumn() column {
	return column{title: "wall s", of: func(f figures) float64 { return f.Wall.Seconds() }, text: short}
}

func eachColumn() column {
	return column{title: "µs a recipient", of: func(f figures) float64 { return f.each(f.Wall) }, text: short, spread: true}
}

func cpuColumn() column {
	return column{title: "CPU µs a message", of: func(f figures) float64 { return f.each(f.CPU) }, text: grouped}
}

func queuingColumn() column {
	return column{title: "of it queuing s", of: func(f figures) float64 { return f.Queuing.Seconds() }, text: short}
}

func queuingMemoryColumn() column {
	return column{title: "peak MiB queuing", of: func(f figures) float64 { return float64(f.QueuingMemory) / (1 << 20) }, text: grouped}
}

func startColumn() column {
	return column{title: "CPU ms", of: func(f figures) float64 { return f.CPU.Seconds() * 1e3 }, text: short, spread: true}
}

func elapsedColumn() column {
	return column{title: "elapsed ms", of: func(f figures) float64 { return f.Wall.Seconds() * 1e3 }, text: short}
}

func connectionsColumn() column {
	return column{title: "connections", of: func(f figures) float64 { return float64(f.seen.Connections) }, text: grouped}
}

func handshakesColumn() column {
	return column{title: "full handshakes", of: func(f figures) float64 { return float64(f.seen.Full) }, text: grouped}
}

func memoryColumn() column {
	return column{title: "peak MiB", text: grouped, of: func(f figures) float64 {
		if f.Memory == 0 { // over before it was looked at
			return math.NaN()
		}
		return float64(f.Memory) / (1 << 20)
	}}
}

func tripColumn() column {
	return column{title: "a round trip and session", of: figures.perTrip, text: short, spread: true}
}

func syncsColumn() column {
	return column{title: "syncs a message", text: short, of: func(f figures) float64 {
		if f.Syncs < 0 {
			return math.NaN()
		}
		return float64(f.Syncs) / float64(f.recipients)
	}}
}

// grouped is a whole number with its thousands apart.
func grouped(v float64) string {
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// short is a number with three digits that count.
func short(v float64) string {
	if v >= 100 {
		return grouped(v)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// values are a column's, of all rounds, from the least to the most.
func (c column) values(rounds []figures) []float64 {
	var all []float64
	for _, f := range rounds {
		all = append(all, c.of(f))
	}
	slices.Sort(all)
	return all
}

func (c column) median(rounds []figures) float64 {
	all := c.values(rounds)
	if len(all) == 0 {
		return math.NaN()
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// cell is what the table says about a row, whose rounds are to be compared with sendctl's.
func (c column) cell(rounds, sendctl []figures) string {
	v := c.median(rounds)
	if c.ratio {
		v = c.median(sendctl) / v
	}
	if math.IsNaN(v) {
		return "–"
	}
	if all := c.values(rounds); c.spread && len(all) > 1 {
		return fmt.Sprintf("%s (%s–%s)", c.text(v), c.text(all[0]), c.text(all[len(all)-1]))
	}
	return c.text(v)
}

// target is what was aimed at: a measure of one entry, or its ratio to another's.
type target struct {
	text        string
	column      column
	entry, over string  // over "": the measure itself
	bound       float64 // 0: none
	most        bool    // the bound is the most, not the least
}

// table is a part's results.
func (p part) table(results [][]figures) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s: %s**\n\n| |", p.key, p.title)
	for _, c := range p.columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(p.columns)) + "\n")
	of := map[string][]figures{}
	for i, e := range p.entries {
		of[e.name] = results[i]
	}
	for i, e := range p.entries {
		fmt.Fprintf(&b, "| %s |", e.name)
		for _, c := range p.columns {
			fmt.Fprintf(&b, " %s |", c.cell(results[i], of[sendctlName]))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, t := range p.targets {
		if line := t.line(of); line != "" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// line says whether the target is met, "" where it was not measured.
func (t target) line(of map[string][]figures) string {
	v := t.column.median(of[t.entry])
	if t.over != "" {
		v /= t.column.median(of[t.over])
	}
	if math.IsNaN(v) {
		return ""
	}
	verdict, sign := "met", "at least"
	if t.most {
		sign = "at most"
	}
	if t.most && v > t.bound || !t.most && v < t.bound {
		verdict = "**missed**"
	}
	aim := fmt.Sprintf("; target %s %s: %s", sign, short(t.bound), verdict)
	if t.bound == 0 {
		aim = ""
	}
	return fmt.Sprintf("- %s %s%s\n", short(v), t.text, aim)
}

// publish puts a text between its markers in a file; to stdout where there is none.
func publish(file, key, text string) error {
	if file == "" {
		_, err := fmt.Println(text)
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- bench "+key+" -->\n", "<!-- end "+key+" -->\n"
	before, rest, found := strings.Cut(string(b), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for part %s: %q and %q", file, key, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}

// record appends a run to a file, as a line of Go's benchmark format.
func record(file, part, name string, f figures) error {
	if file == "" {
		return nil
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	name = strings.NewReplacer(", ", "-", " ", "-", ",", "").Replace(name)
	_, err = fmt.Fprintf(out, "BenchmarkSuite/%s/%s %d %.0f ns/op %.1f messages/s %.0f cpu-ns/op %d peak-B\n",
		part, name, f.recipients, f.each(f.Wall)*1e3, f.rate(), f.each(f.CPU)*1e3, f.Memory)
	return err
}

// String is a run in one line, for those who watch.
func (f figures) String() string {
	return fmt.Sprintf("%.0f/s, wall %.2fs, CPU %.0f µs a message, %d MiB; %d connections (%d at once), %d+%d handshakes; sink %.0f µs a message",
		f.rate(), f.Wall.Seconds(), f.each(f.CPU), f.Memory>>20, f.seen.Connections, f.seen.Peak, f.seen.Full, f.seen.Resumed, f.each(f.seen.CPU))
}
