import type { Table } from '@flotilla/api';

export interface TableOptions {
  wide?: boolean;
  /** A NAMESPACE column first. */
  withNamespace?: boolean;
  noHeaders?: boolean;
  showLabels?: boolean;
  /** Before each name, such as `deployment.apps`: where several kinds are printed. */
  kind?: string;
}

const leastWidth = 6;
const padding = 3;

/**
 * Prints tables as kubectl's printer does: a column is as wide as its widest cell so far plus three, six at least; the
 * last one is not padded. It remembers widths, so that a watch's rows stay in line.
 */
export class TablePrinter {
  readonly #options: TableOptions;
  #widths: number[] = [];
  #columns: { name: string; index: number }[] | undefined;

  constructor(options: TableOptions = {}) {
    this.#options = options;
  }

  /** The lines of this table; the header comes with the first one only. */
  lines(table: Table): string[] {
    const lines: string[][] = [];
    // Later tables of a watch may come without their columns.
    if (!this.#columns) {
      this.#columns = table.columnDefinitions
        .map(({ name, priority }, index) => ({ name: name.toUpperCase(), index, priority: priority ?? 0 }))
        .filter(({ priority }) => priority === 0 || this.#options.wide);
      if (!this.#options.noHeaders) lines.push(this.#header(this.#columns));
    }
    const columns = this.#columns;
    lines.push(...table.rows.map((row) => this.#row(columns, row)));
    for (const line of lines) {
      line.forEach((cell, i) => (this.#widths[i] = Math.max(this.#widths[i] ?? leastWidth, width(cell) + padding)));
    }
    return lines.map((line) => this.#pad(line));
  }

  #header(columns: { name: string }[]): string[] {
    const { withNamespace, showLabels } = this.#options;
    return [...(withNamespace ? ['NAMESPACE'] : []), ...columns.map((c) => c.name), ...(showLabels ? ['LABELS'] : [])];
  }

  #row(columns: { name: string; index: number }[], { cells, object }: Table['rows'][number]): string[] {
    const { withNamespace, showLabels, kind } = this.#options;
    const { namespace = '', labels = {} } = object.metadata;
    const shown = columns.map(({ name, index }) => {
      const text = cellText(cells[index]);
      return name === 'NAME' && kind ? `${kind}/${text}` : text;
    });
    const pairs = Object.entries(labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`);
    return [...(withNamespace ? [namespace] : []), ...shown, ...(showLabels ? [pairs.join(',') || '<none>'] : [])];
  }

  #pad(line: string[]): string {
    const last = line.length - 1;
    return line.map((cell, i) => (i === last ? cell : cell + ' '.repeat(this.#widths[i]! - width(cell)))).join('');
  }
}

/** In code points, as Go counts. */
const width = (text: string): number => Array.from(text).length;

/** A cell shows its first line only, and no control characters (`printers.WriteEscaped`). */
function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  const text = typeof cell === 'object' ? JSON.stringify(cell) : String(cell as string | number | boolean);
  const end = text.search(/[\f\n\r]/);
  return (end < 0 ? text : `${text.slice(0, end)}...`).replaceAll('\u001b', '^[');
}
