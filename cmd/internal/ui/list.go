package ui

// Print writes one result in the format asked for: v as an object in JSON (one line in
// jsonl), the tables one below the other, the first table alone in CSV.
func (o *Output) Print(v any, tables ...Table) error {
	return o.write(func(w page) error {
		switch o.format {
		case FormatJSON:
			return o.object(w, v)
		case FormatJSONL:
			return jsonLine(w, v)
		}
		return o.printTables(w, tables)
	})
}

// List writes a list in the format asked for: {"key":[…]} in JSON (never null), an item a line
// in jsonl, else the table.
func List[T any](o *Output, key string, items []T, t Table) error {
	return o.write(func(w page) error {
		switch o.format {
		case FormatJSON:
			if items == nil {
				items = []T{}
			}
			return o.object(w, map[string][]T{key: items})
		case FormatJSONL:
			for i := range items {
				if err := jsonLine(w, &items[i]); err != nil {
					return err
				}
			}
			return nil
		}
		return o.printTables(w, []Table{t})
	})
}

// Line writes one line of plain words to stdout, in the table format only: for results that
// are a sentence. Silent with -q.
func (o *Output) Line(text string) error {
	if o.format != FormatTable || o.quiet {
		return nil
	}
	return o.write(func(w page) error {
		w.text(cleanCell(text))
		w.end()
		return nil
	})
}

func (o *Output) printTables(w page, tables []Table) error {
	if o.format == FormatCSV {
		if len(tables) == 0 {
			return nil
		}
		return csvTable(w, &tables[0])
	}
	return o.tables(w, tables)
}
