//! Tables as text whose lines are never longer than the terminal: columns of known widths, of which
//! the less important ones are left out. So a line can be printed as soon as its figures are known.

use std::borrow::Cow;

use console::Term;

/// Between two columns.
const GAP: usize = 2;

/// Prose is wrapped at this width if the output is not a terminal; tables then keep all their
/// columns.
const PROSE_WIDTH: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) heading: Cow<'static, str>,
    pub(crate) align: Align,
    /// The width of the widest expected cell.
    pub(crate) width: usize,
    /// Columns of the highest rank are left out first; those of rank 0 never are.
    pub(crate) rank: u8,
}

/// The columns that fit.
#[derive(Debug)]
pub(crate) struct Grid {
    columns: Vec<Column>,
    is_shown: Vec<bool>,
}

/// The width of the terminal; `None` if standard output is not one.
pub(crate) fn terminal_width() -> Option<usize> {
    let terminal = Term::stdout();
    let (_, columns) = terminal.is_term().then(|| terminal.size_checked()).flatten()?;
    Some(usize::from(columns))
}

/// Wraps prose; all lines but the first are indented.
pub(crate) fn wrapped(text: &str, width: Option<usize>) -> String {
    let options = textwrap::Options::new(width.unwrap_or(PROSE_WIDTH))
        .subsequent_indent("  ")
        // Flags of compilers are not split.
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options) + "\n"
}

impl Grid {
    pub(crate) fn new(columns: &[Column], width: Option<usize>) -> Grid {
        Grid::without(&[], columns, width)
    }

    /// Creates a grid without the hidden columns; rows still have cells for them.
    pub(crate) fn without(hidden: &[&str], columns: &[Column], width: Option<usize>) -> Grid {
        let is_hidden = |column: &Column| hidden.contains(&column.heading.as_ref());
        let mut is_shown: Vec<_> = columns.iter().map(|column| !is_hidden(column)).collect();
        let length = |is_shown: &[bool]| {
            let shown = columns.iter().zip(is_shown).filter(|(_, is_shown)| **is_shown);
            shown.map(|(column, _)| column.shown_width() + GAP).sum::<usize>().saturating_sub(GAP)
        };
        while length(&is_shown) > width.unwrap_or(usize::MAX) {
            let shown = (0..columns.len()).filter(|index| is_shown[*index]);
            match shown.max_by_key(|index| columns[*index].rank) {
                Some(index) if columns[index].rank > 0 => is_shown[index] = false,
                _ => break,
            }
        }
        Grid { columns: columns.to_vec(), is_shown }
    }

    /// Creates a grid for known rows, with columns as wide as their widest cell.
    pub(crate) fn for_rows(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> Grid {
        let mut columns = columns.to_vec();
        for (index, column) in columns.iter_mut().enumerate() {
            let cells = rows.iter().filter_map(|row| row.get(index));
            column.width = cells.map(|cell| length(cell)).max().unwrap_or(0);
        }
        Grid::new(&columns, width)
    }

    pub(crate) fn heading(&self) -> String {
        let headings: Vec<_> =
            self.columns.iter().map(|column| column.heading.to_string()).collect();
        self.row(&headings)
    }

    /// Returns a line without its end. If there are fewer cells than columns, they are the first
    /// ones.
    pub(crate) fn row(&self, cells: &[String]) -> String {
        let mut line = String::new();
        let columns = self.columns.iter().zip(&self.is_shown);
        for ((column, _), cell) in columns.zip(cells).filter(|((_, is_shown), _)| **is_shown) {
            let blank = " ".repeat(column.shown_width().saturating_sub(length(cell)));
            match column.align {
                Align::Left => line.extend([cell.as_str(), &blank]),
                Align::Right => line.extend([&blank, cell.as_str()]),
            }
            line.push_str(&" ".repeat(GAP));
        }
        line.truncate(line.trim_end().len());
        line
    }

    /// Heading and rows.
    pub(crate) fn render(&self, rows: &[Vec<String>]) -> String {
        let lines = std::iter::once(self.heading()).chain(rows.iter().map(|row| self.row(row)));
        lines.map(|line| line + "\n").collect()
    }
}

impl Column {
    pub(crate) const fn new(heading: &'static str, align: Align, width: usize, rank: u8) -> Column {
        Column { heading: Cow::Borrowed(heading), align, width, rank }
    }

    fn shown_width(&self) -> usize {
        self.width.max(length(&self.heading))
    }
}

fn length(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::new("name", Align::Left, 6, 0),
        Column::new("rate", Align::Right, 8, 0),
        Column::new("p50", Align::Right, 7, 1),
    ];

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn what_does_not_fit_gives_way() {
        let wide = Grid::new(&COLUMNS, None);
        assert_eq!(wide.heading(), "name        rate      p50");
        assert_eq!(wide.row(&cells(&["ring", "1.5 M/s", "4.4 µs"])), "ring     1.5 M/s   4.4 µs");
        assert_eq!(wide.row(&cells(&["ring", "", ""])), "ring");
        let narrow = Grid::new(&COLUMNS, Some(24));
        assert_eq!(narrow.row(&cells(&["ring", "1.5 M/s", "4.4 µs"])), "ring     1.5 M/s");
        assert_eq!(Grid::new(&COLUMNS, Some(3)).heading(), "name        rate");
        let without = Grid::without(&["rate"], &COLUMNS, None);
        assert_eq!(without.row(&cells(&["ring", "1.5 M/s", "4.4 µs"])), "ring     4.4 µs");
    }

    #[test]
    fn known_rows_decide_the_widths() {
        let rows = [cells(&["a", "1", "2"]), cells(&["b", "10", "20 µs"])];
        let grid = Grid::for_rows(&COLUMNS, &rows, None);
        assert_eq!(grid.render(&rows), "name  rate    p50\na        1      2\nb       10  20 µs\n");
    }

    #[test]
    fn prose_is_broken_and_indented() {
        assert_eq!(wrapped("one two three", Some(9)), "one two\n  three\n");
    }
}
