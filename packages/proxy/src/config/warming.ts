import type { Clock, Timer } from '@flotilla/base';

interface Entry<Spec> {
  spec: Spec;
  timer: Timer | undefined;
}

/** Specs that wait for something before they are used, by name. What they replace stays in use meanwhile. */
export class Warming<Spec> {
  readonly #clock: Clock;
  readonly #use: (spec: Spec) => void;
  readonly #entries = new Map<string, Entry<Spec>>();

  constructor(clock: Clock, use: (spec: Spec) => void) {
    this.#clock = clock;
    this.#use = use;
  }

  get size(): number {
    return this.#entries.size;
  }

  names(): Iterable<string> {
    return this.#entries.keys();
  }

  values(): Spec[] {
    return [...this.#entries.values()].map(({ spec }) => spec);
  }

  /** @param timeout milliseconds after which it is used even without what it waits for; 0 is never. */
  add(name: string, spec: Spec, timeout: number): void {
    this.drop(name);
    const timer = timeout > 0 ? this.#clock.after(timeout, () => this.use(name, spec)) : undefined;
    this.#entries.set(name, { spec, timer });
  }

  /** It waits no longer. */
  use(name: string, spec: Spec): void {
    this.drop(name);
    this.#use(spec);
  }

  drop(name: string): void {
    this.#entries.get(name)?.timer?.cancel();
    this.#entries.delete(name);
  }

  stop(): void {
    for (const { timer } of this.#entries.values()) timer?.cancel();
    this.#entries.clear();
  }
}
