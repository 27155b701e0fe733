//! Tables in Markdown.

/// A table whose first column names its lines.
pub struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    pub fn new(titles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { lines: vec![titles.into_iter().map(Into::into).collect()] }
    }

    pub fn line(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.lines.push(cells.into_iter().map(Into::into).collect());
    }

    pub fn print(&self) {
        for (number, cells) in self.lines.iter().enumerate() {
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("|---|{}", "---:|".repeat(cells.len() - 1));
            }
        }
        println!();
    }
}
