/** Says what is being done and how long it took: live lines on a terminal, a plain log elsewhere. */
export interface Progress {
  /** Announces a step and returns what ends it, with a remark for the user if there is one. */
  step(title: string): (remark?: string) => void;
  line(text: string): void;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean;
}

export function progressOn(out: ProgressOutput, now: () => number = () => performance.now()): Progress {
  const colour = (code: number, text: string): string => (out.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text);
  const open: string[] = [];
  const clear = (): void => {
    if (out.isTTY && open.length > 0) out.write('\r\u001b[K');
  };
  const redraw = (): void => {
    if (out.isTTY && open.length > 0) out.write(colour(2, ` … ${open.join(', ')}`));
  };
  const print = (text: string): void => {
    clear();
    out.write(`${text}\n`);
    redraw();
  };
  return {
    step(title) {
      const started = now();
      clear();
      open.push(title);
      redraw();
      return (remark) => {
        const took = seconds(now() - started);
        clear();
        open.splice(open.indexOf(title), 1);
        redraw();
        print(` ${colour(32, '✓')} ${title.padEnd(34)} ${colour(2, took.padStart(8))}${remark ? `  ${remark}` : ''}`);
      };
    },
    line: print,
  };
}
