import { takeBaseBackup } from "../src/backup/take.ts";
import { cloneDatabase } from "../src/branch/clone.ts";
import { promoteBranch } from "../src/branch/promote.ts";
import { configure, resize } from "../src/database/configure.ts";
import { deleteDatabaseOperation } from "../src/database/delete.ts";
import { destroy } from "../src/database/destroy.ts";
import { holdWrites, releaseWrites } from "../src/database/hold.ts";
import { restart, start, stop } from "../src/database/pause.ts";
import { provision } from "../src/database/provision.ts";
import { retireLogin, rotate } from "../src/database/rotate.ts";
import { makeSpare, removeSpare } from "../src/database/spare-make.ts";
import { undelete } from "../src/database/undelete.ts";
import { takeDump } from "../src/dump/take.ts";
import { registryOf } from "../src/operation/define.ts";
import { deleteProjectOperation } from "../src/project/delete.ts";
import { destroyProject } from "../src/project/destroy.ts";
import { verifyBackup } from "../src/proof/verify.ts";
import { forgetFormer, restoreInPlace, undoRestore } from "../src/restore/in-place.ts";
import { endPreview, preview } from "../src/restore/preview.ts";
import { restoreNew } from "../src/restore/restore-new.ts";
import { restoreTables } from "../src/restore/tables.ts";

/** Every operation of the system. */
export const registry = registryOf(
  provision,
  makeSpare,
  removeSpare,
  configure,
  resize,
  stop,
  start,
  restart,
  rotate,
  holdWrites,
  releaseWrites,
  retireLogin,
  deleteDatabaseOperation,
  undelete,
  destroy,
  deleteProjectOperation,
  destroyProject,
  takeBaseBackup,
  verifyBackup,
  takeDump,
  restoreNew,
  restoreInPlace,
  undoRestore,
  forgetFormer,
  restoreTables,
  cloneDatabase,
  promoteBranch,
  preview,
  endPreview,
);
