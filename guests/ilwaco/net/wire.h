/* SPDX-License-Identifier: MIT */
/* What lies on the wire: headers as their standards draw them, and checksums. */
#ifndef ILWACO_NET_WIRE_H
#define ILWACO_NET_WIRE_H

#include "guests/ilwaco/lib.h"

#define WIRE __attribute__((packed, may_alias))

#define ETH_LEN 14
#define ETH_IP 0x0800
#define ETH_ARP 0x0806

struct eth_head {
    uint8_t dst[6], src[6];
    uint16_t type;
} WIRE;

#define ARP_REQUEST 1
#define ARP_REPLY 2

struct arp_packet {
    uint16_t hardware, protocol;
    uint8_t hardware_len, protocol_len;
    uint16_t op;
    uint8_t sender_mac[6];
    uint32_t sender_ip;
    uint8_t target_mac[6];
    uint32_t target_ip;
} WIRE;

#define IP_LEN 20
#define IP_DF 0x4000
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

struct ip_head {
    uint8_t version_ihl, tos;
    uint16_t total_len, id, fragment;
    uint8_t ttl, protocol;
    uint16_t checksum;
    uint32_t src, dst;
} WIRE;

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER 12
#define ICMP_LEN 8

struct icmp_head {
    uint8_t type, code;
    uint16_t checksum;
    uint16_t id, sequence; /* of echo; sequence is the next MTU in "fragmentation needed" */
} WIRE;

#define UDP_LEN 8

struct udp_head {
    uint16_t src, dst, len, checksum;
} WIRE;

#define TCP_LEN 20
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

struct tcp_head {
    uint16_t src, dst;
    uint32_t seq, ack;
    uint8_t offset; /* words, in the upper half */
    uint8_t flags;
    uint16_t window, checksum, urgent;
} WIRE;

/* A running sum of 16-bit words as they lie in memory; every part but the last has an even
 * length. */
uint32_t wire_sum(const void *data, size_t len, uint32_t sum);
/* The sum's fold and complement: what a checksum field gets, and 0 for a correct packet. */
uint16_t wire_fold(uint32_t sum);
/* The pseudo-header of UDP and TCP; addresses as they are in the header. */
uint32_t wire_pseudo(uint32_t src, uint32_t dst, uint8_t protocol, size_t len);

#endif
