/* SPDX-License-Identifier: MIT */
/*
 * Devices by name, and their port instructions. Every device is ready when the
 * guest starts; its entry in the register page tells its port.
 */
#include "guests/lib/guest.h"

static bool name_is(const volatile struct denali_device *device, const char *name)
{
    for (unsigned i = 0; i < DENALI_NAME_LEN; i++) {
        if (device->name[i] != name[i])
            return false;
        if (!name[i])
            return true;
    }
    return false;
}

const volatile struct denali_device *guest_device(enum denali_device_kind kind, const char *name)
{
    for (uint32_t i = 0; i < guest_regs.device_count; i++) {
        const volatile struct denali_device *device = &guest_regs.device[i];
        if (device->kind == kind && (!name || name_is(device, name)))
            return device;
    }
    return NULL;
}

const volatile struct denali_device *guest_need(enum denali_device_kind kind, const char *name)
{
    const volatile struct denali_device *device = guest_device(kind, name);
    if (!device) {
        guest_print("no device of kind %d named %s\n", kind, name ? name : "(any)");
        guest_terminate(1);
    }
    return device;
}

int32_t guest_out(unsigned port, uint32_t eax, uint32_t ecx, uint32_t ebx)
{
    __asm__ volatile("outl %%eax, %%dx" : "+a"(eax), "+c"(ecx) : "d"(port), "b"(ebx) : "memory");
    return (int32_t)eax;
}

int32_t guest_in(unsigned port, void *edi, uint32_t ecx)
{
    int32_t eax;
    __asm__ volatile("inl %%dx, %%eax" : "=a"(eax), "+c"(ecx) : "d"(port), "D"(edi) : "memory");
    return eax;
}

int32_t guest_write(unsigned stream, const void *buf, uint32_t len)
{
    const volatile struct denali_device *console = guest_device(DENALI_DEV_CONSOLE, NULL);
    if (!console)
        return DENALI_INVAL;
    return guest_out(console->port + DENALI_PORT_WRITE, (uint32_t)buf, len, stream);
}

int32_t guest_read(void *buf, uint32_t room)
{
    const volatile struct denali_device *keyboard = guest_device(DENALI_DEV_KEYBOARD, NULL);
    if (!keyboard)
        return DENALI_INVAL;
    return guest_in(keyboard->port + DENALI_PORT_READ, buf, room);
}

int32_t guest_read_wait(void *buf, uint32_t room)
{
    int32_t got;
    while ((got = guest_read(buf, room)) == 0)
        guest_idle(UINT64_MAX);
    return got;
}

void guest_disk_request(struct denali_disk_request *request, enum denali_disk_op op, uint64_t block,
                        void *buffer)
{
    memset(request, 0, sizeof(*request));
    request->op = op;
    request->block = block;
    request->buffer = (uint32_t)buffer;
    request->bytes = op == DENALI_DISK_FLUSH ? 0 : DENALI_BLOCK;
    request->status = DENALI_DISK_BUSY;
}

int32_t guest_disk_wait(const volatile struct denali_device *disk,
                        struct denali_disk_request *request)
{
    volatile int32_t *status = &request->status;
    int32_t accepted = guest_out(disk->port + DENALI_PORT_SUBMIT, (uint32_t)request, 1, 0);
    if (accepted != 1)
        return accepted < 0 ? accepted : DENALI_AGAIN;
    while (*status == DENALI_DISK_BUSY)
        guest_idle(UINT64_MAX);
    return *status;
}
