import { isJsonObject, type JsonObject } from '@flotilla/api';
import { sorted } from './output.js';

/** What `kubectl apply` keeps on each object: the manifest as it was applied last. */
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

const annotationsOf = (object: JsonObject): JsonObject => {
  const { metadata } = object;
  return isJsonObject(metadata) && isJsonObject(metadata.annotations) ? metadata.annotations : {};
};

function withAnnotations(object: JsonObject, annotations: JsonObject): JsonObject {
  return { ...object, metadata: { ...(isJsonObject(object.metadata) ? object.metadata : {}), annotations } };
}

/** The manifest with itself as annotation, letter for letter as kubectl writes it, so that both can be mixed. */
export function withLastApplied(manifest: JsonObject): JsonObject {
  const { [lastAppliedAnnotation]: _, ...annotations } = annotationsOf(manifest);
  const bare = withAnnotations(manifest, annotations);
  return withAnnotations(manifest, { ...annotations, [lastAppliedAnnotation]: `${goJson(bare)}\n` });
}

/** What was applied last; undefined where nothing was, or what is written there is not readable. */
export function lastApplied(object: JsonObject): JsonObject | undefined {
  const text = annotationsOf(object)[lastAppliedAnnotation];
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** JSON as Go's encoder writes it: members in order, and nothing that HTML or JavaScript could take for their own. */
function goJson(value: JsonObject): string {
  return JSON.stringify(sorted(value)).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
