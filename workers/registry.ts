import { destroy } from "../src/database/destroy.ts";
import { provision } from "../src/database/provision.ts";
import { resize } from "../src/database/resize.ts";
import { retireLogin, rotate } from "../src/database/rotate.ts";
import { registryOf } from "../src/operation/define.ts";
import { destroyProject } from "../src/project/destroy.ts";

/** Every operation of the system. */
export const registry = registryOf(provision, resize, rotate, retireLogin, destroy, destroyProject);
