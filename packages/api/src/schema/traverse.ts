import type { FieldSchema, MessageSchema } from './types.js';

/** The field with this JSON name, also of an inlined message; undefined for leaves, raw JSON and unknown names. */
export function fieldOf(schema: MessageSchema | undefined, name: string): FieldSchema | undefined {
  return schema?.form === 'struct' ? schema.properties.get(name) : undefined;
}

/**
 * The field at a path of JSON names; list positions and map keys are stepped over: `spec`, `containers`, 0, `image`.
 * Undefined when the path leaves what the schema describes.
 */
export function fieldAt(schema: MessageSchema, path: readonly (string | number)[]): FieldSchema | undefined {
  let message: MessageSchema | undefined = schema;
  let field: FieldSchema | undefined;
  let inside = false;
  for (const step of path) {
    if (inside) {
      inside = false;
      continue;
    }
    field = fieldOf(message, String(step));
    if (field === undefined) return undefined;
    message = field.message;
    inside = field.cardinality !== 'single' || message?.form === 'list';
  }
  return field;
}

/** How a strategic merge patch treats a field (apimachinery `strategicpatch.PatchMeta`). */
export interface PatchRule {
  /** Lists: merge into the old one instead of replacing it. */
  readonly merge: boolean;
  /** Objects: drop old members that the patch's `$retainKeys` does not list. */
  readonly retainKeys: boolean;
  /** The member that identifies an item of a merged list of objects; undefined for a list of scalars. */
  readonly mergeKey: string | undefined;
  /** The schema of the field, its items or its values; undefined below which nothing is declared. */
  readonly message: MessageSchema | undefined;
}

/** Without a schema, or for an undeclared field, objects merge and lists are replaced. */
export function patchRuleOf(schema: MessageSchema | undefined, name: string): PatchRule {
  const field = fieldOf(schema, name);
  return {
    merge: field?.patchStrategy.includes('merge') ?? false,
    retainKeys: field?.patchStrategy.includes('retainKeys') ?? false,
    mergeKey: field?.mergeKey,
    message: field?.message,
  };
}
