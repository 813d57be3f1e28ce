/** A rule that could not be followed, or only in part. Collected while translating, shown in the log and for debugging. */
export interface Problem {
  /** `VirtualService default/reviews` */
  readonly about: string;
  readonly message: string;
}

export class Problems {
  readonly #found = new Map<string, Problem>();

  add(kind: string, rule: { namespace: string; name: string }, message: string): void {
    const problem = { about: `${kind} ${rule.namespace}/${rule.name}`, message };
    this.#found.set(`${problem.about}: ${message}`, problem);
  }

  list(): Problem[] {
    return [...this.#found.values()];
  }
}
