/** Mantine's dialog, for where it is loaded when it is first asked for (Later.tsx). */
import { Modal, type ModalProps } from "@mantine/core";
import { useEffect, useState } from "react";

export function Dialog({ opened, ...rest }: ModalProps) {
  // A dialog gives the focus back to what had it when it opened: it is drawn closed first, also where it was waited for.
  const [drawn, setDrawn] = useState(false);
  useEffect(() => setDrawn(true), []);
  return <Modal {...rest} opened={drawn && opened} />;
}
