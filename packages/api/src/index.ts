export type * as apps from './gen/apps-v1.js';
export type * as authentication from './gen/authentication-v1.js';
export type * as authorization from './gen/authorization-v1.js';
export type * as autoscaling from './gen/autoscaling-v1.js';
export type * as coordination from './gen/coordination-v1.js';
export type * as core from './gen/core-v1.js';
export type * as discovery from './gen/discovery-v1.js';
export type * as events from './gen/events-v1.js';
export type * as istio from './gen/istio.js';
export type * as meta from './gen/meta-v1.js';
export type * as networking from './gen/networking-v1.js';
export type * as runtime from './gen/runtime.js';
export type * as storage from './gen/storage-v1.js';
export { openApiV3 } from './openapi/document.js';
export type { CreatedKind } from './openapi/paths.js';
export * from './resources.js';
export { decodeJson, type Decoded, JsonDecodeError } from './schema/decode-json.js';
export { decodeProtobuf } from './schema/decode-protobuf.js';
export { duplicateFields } from './schema/duplicates.js';
export { encodeJson } from './schema/encode-json.js';
export { encodeProtobuf } from './schema/encode-protobuf.js';
export {
  decodeProtobufObject,
  decodeUnknown,
  encodeProtobufObject,
  encodeUnknown,
  encodeWatchFrame,
} from './schema/envelope.js';
export { type Envelope, hasProtobufMagic, protobufMediaType } from './schema/envelope.js';
export { ProtobufError } from './schema/protobuf-reader.js';
export { ScalarError } from './schema/scalars.js';
export { structuralErrors } from './schema/structural.js';
export { fieldAt, fieldOf, type PatchRule, patchRuleOf } from './schema/traverse.js';
export { type FieldSpec, fieldSchema, type MessageSpec, messageSchema } from './schema/graph.js';
export { isJsonObject, type JsonObject, type JsonValue } from './schema/json.js';
export { schemaIds, schemaOf, UnknownSchemaError } from './schema/tables.js';
export type { FieldSchema, FieldType, MessageForm, MessageSchema } from './schema/types.js';

// Semantics: errors, names, amounts, selectors, patches, defaults, validation, tables (see README.md).
export { aggregate, FieldError, fieldErrors, type FieldErrorType, FieldPath } from './errors.js';
export { alreadyExists } from './status.js';
export { badRequest } from './status.js';
export { conflict } from './status.js';
export { expired } from './status.js';
export { failure } from './status.js';
export { forbidden } from './status.js';
export { generateNameConflict } from './status.js';
export { type GroupKind, type GroupResource } from './status.js';
export { internal } from './status.js';
export { invalid } from './status.js';
export { isStatus } from './status.js';
export { methodNotAllowed } from './status.js';
export { notAcceptable } from './status.js';
export { notFound } from './status.js';
export { resourceVersionTooLarge } from './status.js';
export { serverTimeout } from './status.js';
export { serviceUnavailable } from './status.js';
export { StatusError, type StatusReason } from './status.js';
export { timeout } from './status.js';
export { tooLarge } from './status.js';
export { tooManyRequests } from './status.js';
export { unauthorized } from './status.js';
export { unknownPath } from './status.js';
export { unsupportedMediaType } from './status.js';
export { getCondition, isConditionTrue, removeCondition, setCondition } from './conditions.js';
export { controllerOf, controllerRef, isControlledBy, isOwnedBy } from './owners.js';
export { containerStatusOf, isPodActive, isPodAvailable, isPodReady, isPodTerminal, isSidecar } from './pods.js';
export {
  podLimits,
  podPhase,
  podQosClass,
  podRequests,
  type ResourceList,
  resourceRequests,
  tolerates,
} from './pods.js';
export { canonicalQuantity, parseQuantity, Quantity, QuantityError, tryQuantity } from './quantity.js';
export { ageOf, formatMicroTime, formatTime, humanDuration, parseDuration, parseTime } from './time.js';
export {
  dns1035LabelErrors,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  ipFamily,
  labelValueErrors,
  qualifiedNameErrors,
} from './names.js';
export { FieldSelector, parseFieldSelector } from './field-selectors.js';
export { formatLabelSelector, LabelSelector, labelSelectorOf, parseLabelSelector } from './selectors.js';
export { applyJsonPatch } from './patch/jsonpatch.js';
export { applyMergePatch, createMergePatch } from './patch/merge.js';
export { applyStrategicMergePatch } from './patch/strategic.js';
export { fieldsOf, supportedFieldSelector } from './fields.js';
export { setDefaults } from './defaults/index.js';
export { type ImageReference, imageTag, parseImage } from './images.js';
export { validateCreate, validateStatusUpdate, validateUpdate } from './validation/index.js';
export { type Table, tableFor, type TableRow } from './tables/index.js';
export { grpcStatusNames } from './validation/istio/grpc.js';
export { istioDenial } from './validation/istio/index.js';
export { validateBinding } from './validation/pods.js';
