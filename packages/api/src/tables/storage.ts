import type * as core from '../gen/core-v1.js';
import type * as storage from '../gen/storage-v1.js';
import { ageColumn, type Cell, column, nameColumn, nameOf, objectAge, type Printer, wide } from './columns.js';

const modeNames: [core.PersistentVolumeAccessMode, string][] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

function modesText(modes: readonly string[] | undefined): string {
  return modeNames
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

function phaseOf(object: { metadata: { deletionTimestamp?: string }; status?: { phase?: string } }): string {
  return object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? '') : 'Terminating';
}

const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const unset = '<unset>';

export const persistentVolumePrinter: Printer = {
  columns: [
    nameColumn,
    column('Capacity', 'string', 'The size of the volume.'),
    column('Access Modes', 'string', 'The ways in which the volume can be mounted.'),
    column('Reclaim Policy', 'string', 'What happens to the volume when its claim is gone.'),
    column('Status', 'string', 'Whether the volume is available, bound to a claim, or released by one.'),
    column('Claim', 'string', 'The claim that the volume is bound to.'),
    column('StorageClass', 'string', 'The StorageClass of the volume.'),
    column('VolumeAttributesClass', 'string', 'The VolumeAttributesClass of the volume.'),
    column('Reason', 'string', 'Why the volume is in its state.'),
    ageColumn,
    wide('VolumeMode', 'string', 'Whether the volume is a file system or a block device.'),
  ],
  cells: (volume: core.PersistentVolume, now): Cell[] => {
    const { spec, metadata } = volume;
    return [
      nameOf(volume),
      spec.capacity?.['storage'] ?? '0',
      modesText(spec.accessModes),
      spec.persistentVolumeReclaimPolicy ?? '',
      phaseOf(volume),
      spec.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '',
      metadata.annotations?.[classAnnotation] ?? spec.storageClassName ?? '',
      spec.volumeAttributesClassName ?? unset,
      volume.status?.reason ?? '',
      objectAge(volume, now),
      spec.volumeMode ?? unset,
    ];
  },
};

export const persistentVolumeClaimPrinter: Printer = {
  columns: [
    nameColumn,
    column('Status', 'string', 'Whether the claim is pending, bound to a volume, or has lost it.'),
    column('Volume', 'string', 'The volume that the claim is bound to.'),
    column('Capacity', 'string', 'The size of the volume.'),
    column('Access Modes', 'string', 'The ways in which the volume can be mounted.'),
    column('StorageClass', 'string', 'The StorageClass that the claim asks for.'),
    column('VolumeAttributesClass', 'string', 'The VolumeAttributesClass that the claim asks for.'),
    ageColumn,
    wide('VolumeMode', 'string', 'Whether the volume is a file system or a block device.'),
  ],
  cells: (claim: core.PersistentVolumeClaim, now): Cell[] => {
    const { spec, metadata, status } = claim;
    const bound = Boolean(spec.volumeName);
    return [
      nameOf(claim),
      phaseOf(claim),
      spec.volumeName ?? '',
      bound ? (status?.capacity?.['storage'] ?? '0') : '',
      bound ? modesText(status?.accessModes) : '',
      metadata.annotations?.[classAnnotation] ?? spec.storageClassName ?? '',
      spec.volumeAttributesClassName ?? unset,
      objectAge(claim, now),
      spec.volumeMode ?? unset,
    ];
  },
};

const defaultClassAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

export const storageClassPrinter: Printer = {
  columns: [
    nameColumn,
    column('Provisioner', 'string', 'Who makes the volumes of this class.'),
    column('ReclaimPolicy', 'string', 'What happens to volumes of this class when their claim is gone.'),
    column('VolumeBindingMode', 'string', 'When claims of this class are bound.'),
    column('AllowVolumeExpansion', 'string', 'Whether volumes of this class can grow.'),
    ageColumn,
  ],
  cells: (storageClass: storage.StorageClass, now): Cell[] => {
    const isDefault = defaultClassAnnotations.some((key) => storageClass.metadata.annotations?.[key] === 'true');
    return [
      `${nameOf(storageClass)}${isDefault ? ' (default)' : ''}`,
      storageClass.provisioner,
      storageClass.reclaimPolicy ?? 'Delete',
      storageClass.volumeBindingMode ?? 'Immediate',
      storageClass.allowVolumeExpansion ?? false,
      objectAge(storageClass, now),
    ];
  },
};
